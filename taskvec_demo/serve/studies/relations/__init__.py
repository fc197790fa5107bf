"""The study "Which audio tasks improve each other" as it is shipped: figures alone. And what a visitor's own set needs.

<folder>/study.json

Tasks, networks, training, gains and predictors are here because the study and a visitor's own set both use them; what
measures the whole study is in `lab/studies/relations/`.
"""

FORMAT = 1
NAME = "relations"
