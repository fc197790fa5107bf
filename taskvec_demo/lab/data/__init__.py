"""The data of training and measuring: cached recordings, their embeddings, and studies, which define tasks."""
