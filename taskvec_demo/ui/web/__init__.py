"""The code that runs in the browser: ES modules and styles. Gradio calls `page.js`; ui/live.py gives its address."""
