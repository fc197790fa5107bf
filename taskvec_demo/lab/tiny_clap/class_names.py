"""Class -> label of every set that tiny-CLAP is trained or measured on. A label is what a zero-shot head reads."""

from __future__ import annotations

ESC50 = {
    "airplane": "an airplane",
    "breathing": "a person breathing",
    "brushing_teeth": "brushing teeth",
    "can_opening": "a can being opened",
    "car_horn": "a car horn",
    "cat": "a cat",
    "chainsaw": "a chainsaw",
    "chirping_birds": "a bird",
    "church_bells": "church bells",
    "clapping": "people clapping",
    "clock_alarm": "an alarm clock",
    "clock_tick": "a clock ticking",
    "coughing": "a person coughing",
    "cow": "a cow",
    "crackling_fire": "a crackling fire",
    "crickets": "crickets",
    "crow": "a crow",
    "crying_baby": "a baby crying",
    "dog": "a dog barking",
    "door_wood_creaks": "a wooden door creaking",
    "door_wood_knock": "a knock on a wooden door",
    "drinking_sipping": "a person drinking",
    "engine": "an engine running",
    "fireworks": "fireworks",
    "footsteps": "footsteps",
    "frog": "a frog",
    "glass_breaking": "glass breaking",
    "hand_saw": "a hand saw",
    "helicopter": "a helicopter",
    "hen": "a chicken",
    "insects": "insects buzzing",
    "keyboard_typing": "typing on a keyboard",
    "laughing": "a person laughing",
    "mouse_click": "a mouse click",
    "pig": "a pig",
    "pouring_water": "water being poured",
    "rain": "rain",
    "rooster": "a rooster crowing",
    "sea_waves": "sea waves",
    "sheep": "a sheep",
    "siren": "a siren",
    "sneezing": "a person sneezing",
    "snoring": "a person snoring",
    "thunderstorm": "a thunderstorm",
    "toilet_flush": "a toilet being flushed",
    "train": "a train",
    "vacuum_cleaner": "a vacuum cleaner",
    "washing_machine": "a washing machine",
    "water_drops": "water dripping",
    "wind": "wind",
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
KITCHEN = {
    "blender": "a blender",
    "boiling_water": "water boiling",
    "book": "pages of a book being turned",
    "chopping": "chopping vegetables",
    "clean_dishes": "washing the dishes",
    "cupboard": "a cupboard being opened",
    "cutlery": "cutlery clinking",
    "dishwasher": "a dishwasher",
    "drawer": "a drawer being opened",
    "eat": "a person eating",
    "fridge": "a refrigerator",
    "frying_pan": "food frying in a pan",
    "juicer": "a juicer",
    "microwave": "a microwave oven",
    "peel": "peeling vegetables",
    "plates": "plates clattering",
    "stove_burner": "a stove burner",
    "stove_fan": "an extractor fan",
    "sweep": "sweeping the floor",
    "water_flowing": "water running from a tap",
}
GENRES = {
    genre: f"{genre} music"
    for genre in ("blues", "classical", "country", "disco", "jazz", "metal", "pop", "reggae", "rock")
} | {"hiphop": "hip hop music"}
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
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
DIGIT_CLASSES = {f"digit_{n}": f"the word {word}" for n, word in enumerate(DIGITS)}
ANIMAL_CLASSES = {
    name: "a dog barking" if name == "dog" else f"a {name}"
    for name in ("bird", "cat", "chicken", "cow", "dog", "donkey", "frog", "lion", "monkey", "sheep")
}
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
