"""What the page, the API and the command line call: the workbench, a checkpoint's artifacts, figures measured on
request.
"""
