"""The code that runs in the browser: ES modules and styles.

Gradio calls `page.js` and `studies.js`; ui/live.py gives their address.
"""
