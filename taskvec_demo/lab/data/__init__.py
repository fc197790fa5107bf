"""What is trained and measured on: cached recordings, their embeddings, and studies, which say what tasks they make."""
