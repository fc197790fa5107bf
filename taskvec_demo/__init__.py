"""Task arithmetic on CLAP: load task vectors, scale and add them, rebuild the audio tower."""
