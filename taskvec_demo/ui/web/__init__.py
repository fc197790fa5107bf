"""What runs in the browser: ES modules and styles. `page.js` is what gradio calls; ui/live.py says where it lies."""
