"""Which audio tasks improve each other when one network learns two of them? After Callebaut's thesis (2021).

Hard parameter sharing: one body of layers, one head a task. Every task is trained alone and with every other one; the
gain of a pair is the test accuracy with the partner minus the test accuracy alone.
"""
