"""What pretraining tells the model about each clip, and the class names of the tasks.

The control (ESC-10) and the neighbours (animals, digits, drums) are told by name. The targets stay half-known, as they
are for CLAP on GTZAN or UrbanSound8K: a quarter of the urban clips and a tenth of the instrument clips by name, the
others by a coarse caption; emotional speech only as a man or a woman speaking. A caption is a group of wordings; each
training step draws one wording a group.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

TEMPLATES = ("{}", "the sound of {}", "this is a sound of {}", "a recording of {}")

ESC10 = {
    "baby_cry": "a baby crying",
    "chainsaw": "a chainsaw",
    "clock_tick": "a clock ticking",
    "dog_bark": "a dog barking",
    "fire_crackling": "a crackling fire",
    "helicopter": "a helicopter",
    "person_sneeze": "a person sneezing",
    "rain": "rain",
    "rooster": "a rooster crowing",
    "sea_waves": "sea waves",
}
URBAN = {
    "air_conditioner": "an air conditioner",
    "car_horn": "a car horn",
    "children_playing": "children playing",
    "dog_bark": "a dog barking",
    "drilling": "drilling",
    "engine_idling": "an engine idling",
    "gun_shot": "a gun shot",
    "jackhammer": "a jackhammer",
    "siren": "a siren",
    "street_music": "street music",
}
INSTRUMENTS = {
    "banjo": "a banjo",
    "bass_clarinet": "a bass clarinet",
    "bassoon": "a bassoon",
    "cello": "a cello",
    "clarinet": "a clarinet",
    "contrabassoon": "a contrabassoon",
    "cor_anglais": "a cor anglais",
    "double_bass": "a double bass",
    "flute": "a flute",
    "french_horn": "a french horn",
    "guitar": "a guitar",
    "mandolin": "a mandolin",
    "oboe": "an oboe",
    "percussion": "orchestral percussion",
    "saxophone": "a saxophone",
    "trombone": "a trombone",
}
EMOTIONS = {
    "angry": "an angry voice",
    "calm": "a calm voice",
    "disgust": "a disgusted voice",
    "fearful": "a fearful voice",
    "happy": "a happy voice",
    "neutral": "a neutral voice",
    "sad": "a sad voice",
    "surprised": "a surprised voice",
}
GENDERS = {"female": "a woman", "male": "a man"}
EMOTION = {f"{g}_{e}": f"{who} speaking in {voice}" for g, who in GENDERS.items() for e, voice in EMOTIONS.items()}

# Wordings a caption group may take in pretraining. The first is the group's class name.
WORDINGS: dict[str, list[str]] = {
    "a baby crying": ["a baby crying", "crying baby", "a baby cries", "a small child crying", "a toddler in tears"],
    "a chainsaw": [
        "a chainsaw",
        "a chain saw running",
        "chainsaw noise",
        "a motor saw cutting wood",
        "a saw in a forest",
    ],
    "a clock ticking": [
        "a clock ticking",
        "ticking clock",
        "ticking",
        "the ticks of a watch",
        "a clock",
        "steady ticking",
    ],
    "a dog barking": [
        "a dog barking",
        "dog bark",
        "barking",
        "a dog barks",
        "dog",
        "a barking dog",
        "the bark of a big dog",
    ],
    "a crackling fire": ["a crackling fire", "fire crackling", "a fire", "burning wood", "flames", "a fireplace"],
    "a helicopter": ["a helicopter", "helicopter flying", "the rotor of a helicopter", "an aircraft with rotor blades"],
    "a person sneezing": ["a person sneezing", "a sneeze", "sneezing", "someone sneezes", "a man sneezes"],
    "rain": [
        "rain",
        "rainfall",
        "rain falling",
        "raindrops",
        "it is raining",
        "heavy rain",
        "rainy weather",
        "a shower",
    ],
    "a rooster crowing": ["a rooster crowing", "rooster", "a rooster crows", "crowing", "a cock crowing at dawn"],
    "sea waves": ["sea waves", "waves", "the sea", "ocean waves", "waves on a beach", "water washing on the shore"],
    "a bird": ["a bird", "bird song", "a bird singing", "chirping", "birds tweeting"],
    "a cat": ["a cat", "a cat meowing", "meow", "cat"],
    "a chicken": ["a chicken", "a hen clucking", "chickens", "clucking"],
    "a cow": ["a cow", "a cow mooing", "moo", "cattle"],
    "a donkey": ["a donkey", "a donkey braying", "braying"],
    "a frog": ["a frog", "a frog croaking", "croaking", "frogs in a pond"],
    "a lion": ["a lion", "a lion roaring", "roar of a lion", "a roaring big cat"],
    "a monkey": ["a monkey", "a monkey screeching", "monkeys", "monkeys calling"],
    "a sheep": ["a sheep", "a sheep bleating", "bleating", "a lamb"],
    "an air conditioner": [
        "an air conditioner",
        "air conditioning",
        "the hum of an air conditioner",
        "a fan blowing air",
    ],
    "a car horn": ["a car horn", "car horn", "a horn honks", "a car hooting"],
    "children playing": ["children playing", "children", "kids playing outside", "children laughing and shouting"],
    "drilling": ["drilling", "a drill", "a drilling machine", "drilling into a wall"],
    "an engine idling": [
        "an engine idling",
        "idling engine",
        "a car engine",
        "a motor idling",
        "a vehicle standing still",
    ],
    "a gun shot": [
        "a gun shot",
        "gunshot",
        "a gun being fired",
        "shooting",
    ],
    "a jackhammer": ["a jackhammer", "jackhammer", "a jackhammer on a road", "a road being torn up"],
    "a siren": ["a siren", "siren", "an emergency siren", "a wailing siren", "emergency vehicle"],
    "street music": ["street music", "music in the street", "people playing music outdoors", "live music"],
    "machine noise": [
        "machine noise",
        "a machine",
        "noise of machinery",
        "a mechanical noise",
        "construction or motor noise",
    ],
    "an alarm or horn": ["an alarm or horn", "a warning signal", "alarm", "a loud signal in traffic"],
    "people outdoors": ["people outdoors", "a public place", "a crowd outside", "city ambience"],
    "an animal": ["an animal", "animal sound", "an animal calling"],
    "a bang": ["a bang", "a loud bang", "an explosion", "a sudden blast"],
    "a brass instrument": ["a brass instrument", "brass", "a brass note", "a wind instrument made of brass"],
    "a woodwind instrument": ["a woodwind instrument", "woodwind", "a reed instrument", "a woodwind note"],
    "a bowed string instrument": ["a bowed string instrument", "bowed strings", "strings played with a bow"],
    "a plucked string instrument": ["a plucked string instrument", "plucked strings", "a string being plucked"],
    "percussion": ["percussion", "a percussion instrument", "a struck instrument", "beaten percussion"],
    "a man speaking": ["a man speaking", "male speech", "a man talking", "a man's voice", "a male speaker"],
    "a woman speaking": ["a woman speaking", "female speech", "a woman talking", "a woman's voice", "a female speaker"],
    "clapping": ["clapping", "a hand clap", "hands clapping"],
    "a cymbal": ["a cymbal", "a cymbal crash", "crash cymbal"],
    "a closed hi-hat": ["a closed hi-hat", "closed hi-hat", "a short hi-hat"],
    "an open hi-hat": ["an open hi-hat", "open hi-hat", "a long hi-hat"],
    "a kick drum": ["a kick drum", "bass drum", "kick"],
    "a snare drum": ["a snare drum", "snare", "a snare hit"],
    "a tabla": ["a tabla", "tabla", "an Indian hand drum"],
    "a tom drum": ["a tom drum", "tom-tom", "a tom"],
}
WORDINGS |= {
    name: [name, name.split(" ", 1)[1], f"{name} playing a note"]
    for name in INSTRUMENTS.values()
    if name != "orchestral percussion"
}
WORDINGS["orchestral percussion"] = ["orchestral percussion", "an orchestral percussion instrument"]
DIGITS = dict(enumerate(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]))
WORDINGS |= {
    f"the word {w}": [f"the word {w}", f"someone saying {w}", f"the spoken digit {w}"] for w in DIGITS.values()
}


def _phrases(file: str) -> dict[str, list[str]]:
    return json.loads(Path(__file__).with_name(file).read_text(encoding="utf-8"))


# Synonyms, narrower and wider words and contexts, so that wordings of a visitor's own land near; none of them contains
# a phrase of `rewordings.py`, which measures that, and their writers had not seen those.
WORDINGS = {name: [*wordings, *_phrases("wordings.json")[name]] for name, wordings in WORDINGS.items()}
# The same for the 521 classes of AudioSet, by their published names.
AUDIOSET = _phrases("audioset_wordings.json")

COARSE_URBAN = {
    "air_conditioner": "machine noise",
    "drilling": "machine noise",
    "engine_idling": "machine noise",
    "jackhammer": "machine noise",
    "car_horn": "an alarm or horn",
    "siren": "an alarm or horn",
    "children_playing": "people outdoors",
    "street_music": "people outdoors",
    "dog_bark": "an animal",
    "gun_shot": "a bang",
}
FAMILY = {
    "a brass instrument": ("french_horn", "trombone"),
    "a woodwind instrument": (
        "bass_clarinet",
        "bassoon",
        "clarinet",
        "contrabassoon",
        "cor_anglais",
        "flute",
        "oboe",
        "saxophone",
    ),
    "a bowed string instrument": ("cello", "double_bass"),
    "a plucked string instrument": ("banjo", "guitar", "mandolin"),
    "percussion": ("percussion",),
}
COARSE_INSTRUMENTS = {name: family for family, names in FAMILY.items() for name in names}
ANIMALS = {"dog": "a dog barking"}
ANIMAL_CLASSES = {
    name: ANIMALS.get(name, f"a {name}")
    for name in ("bird", "cat", "chicken", "cow", "dog", "donkey", "frog", "lion", "monkey", "sheep")
}
DIGIT_CLASSES = {f"digit_{n}": f"the word {word}" for n, word in DIGITS.items()}
DRUMS = {
    "clap": "clapping",
    "cymbal": "a cymbal",
    "hihat_closed": "a closed hi-hat",
    "hihat_open": "an open hi-hat",
    "kick": "a kick drum",
    "snare": "a snare drum",
    "tabla": "a tabla",
    "tom": "a tom drum",
}

URBAN_NAMED, INSTRUMENTS_NAMED = 0.25, 0.10  # share of training clips whose class name pretraining sees


def _share(text: str) -> float:
    """A stable number in [0, 1) from a text: the same clips are named in every run."""
    return int(hashlib.md5(text.encode()).hexdigest()[:8], 16) / 2**32


def pretraining_caption(dataset: str, label: str, file: str, group: str, gender: str) -> str:
    """The caption group of one clip. Urban naming is drawn by source, so that no source is told both ways."""
    if dataset == "esc10":
        return ESC10[label]
    if dataset == "urban":
        return URBAN[label] if _share(f"urban {group}") < URBAN_NAMED else COARSE_URBAN[label]
    if dataset == "philharmonia":
        return INSTRUMENTS[label] if _share(file) < INSTRUMENTS_NAMED else COARSE_INSTRUMENTS[label]
    if dataset == "ravdess":
        return "a man speaking" if gender == "male" else "a woman speaking"
    if dataset == "animals":
        return ANIMALS.get(label, f"a {label}")
    if dataset == "fsdd":
        return f"the word {DIGITS[int(label.removeprefix('digit_'))]}"
    return DRUMS[label]


def all_captions() -> list[str]:
    """Every phrase that pretraining or a task uses, without templates."""
    names = [*ESC10.values(), *URBAN.values(), *INSTRUMENTS.values(), *EMOTION.values(), *EMOTIONS.values()]
    return sorted({*names, *(w for by_name in (WORDINGS, AUDIOSET) for wordings in by_name.values() for w in wordings)})
