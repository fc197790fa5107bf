// Keys that a part of the page must leave to the browser.

/** Whether a key is a command of the browser, such as Alt+← for the page before. @param {KeyboardEvent} event */
export const isCommand = ({ altKey, ctrlKey, metaKey }) => altKey || ctrlKey || metaKey;
