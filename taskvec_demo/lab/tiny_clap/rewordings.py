"""Held-out wordings of class names, by set and label: the text tower is measured with them and never trained on them.

Phrases that the training corpus has among its sounds are left out of the measurement and listed; WordNet may have any.
"""

from __future__ import annotations

from .class_names import ANIMAL_CLASSES, EMOTION, ESC10, INSTRUMENTS, URBAN

# Class -> label, of each set below.
LABELS = {
    "ESC-10": ESC10,
    "UrbanSound8K": URBAN,
    "Philharmonia": INSTRUMENTS,
    "emotion": EMOTION,
    "animals": ANIMAL_CLASSES,
}

REWORDINGS: dict[str, dict[str, str]] = {
    "ESC-10": {
        "a baby crying": (
            "infant wailing; newborn weeping; a bawling tot; howling little one; "
            "screaming newborn; hungry infant at night; baby who wants milk"
        ),
        "a chainsaw": (
            "power saw; cutting down trees; lumberjack at work; logging tool; "
            "felling a tree; gasoline-powered saw; cutting firewood with a machine"
        ),
        "a clock ticking": (
            "wristwatch; timepiece; tick tack; pendulum; stopwatch; "
            "clock on the kitchen wall; old grandfather clock; watch counting the seconds"
        ),
        "a dog barking": (
            "puppy; hound woofing; canine; terrier yapping; growling mastiff; "
            "woof woof; German shepherd guarding the house; my neighbour's dog"
        ),
        "a crackling fire": (
            "campfire; burning logs; bonfire; blaze; embers in a hearth; "
            "wood in the fireplace; wood burning in a stove; log fire on a winter evening"
        ),
        "a helicopter": (
            "chopper overhead; rotorcraft; whirlybird; hovering rescue aircraft; "
            "heli flying over the city; military chopper landing; copter taking off"
        ),
        "a person sneezing": (
            "achoo; sternutation; hay fever; having a cold; "
            "atchoo; someone with a pollen allergy; loud sneeze into a tissue"
        ),
        "rain": (
            "downpour; drizzle; cloudburst; monsoon; wet weather; "
            "raindrops on the window; heavy shower; it is pouring outside"
        ),
        "a rooster crowing": (
            "cockerel; chanticleer; farmyard cock in the morning; male chicken; "
            "cockadoodledoo; rooster at sunrise; the farm's wake-up call"
        ),
        "sea waves": (
            "ocean surf; breakers on the beach; tide coming in; swell at the coast; "
            "holiday by the sea; water crashing on the shore; a day at the ocean"
        ),
    },
    "UrbanSound8K": {
        "an air conditioner": (
            "cooling unit; ventilation system; HVAC; climate control appliance; "
            "AC; aircon on the wall; machine that cools the room"
        ),
        "a car horn": (
            "automobile hooter; impatient driver beeping; klaxon of a taxi; "
            "beep beep; someone honking in traffic; tooting at a slow driver"
        ),
        "children playing": (
            "youngsters at a playground; schoolyard at recess; boys and girls having fun; "
            "kids shouting in the park; kindergarten; toddlers laughing together"
        ),
        "a dog barking": (
            "puppy yapping; watchdog; poodle; howling hound; ruff ruff; pet barking at the mailman; bulldog"
        ),
        "drilling": (
            "boring a hole; making holes in concrete; borer; "
            "cordless power drill; handyman making a hole in the wall; drill bit"
        ),
        "an engine idling": (
            "motor running; parked truck with its motor on; diesel standing at a light; "
            "car in neutral; bus waiting with its engine on; stationary vehicle that is switched on"
        ),
        "a gun shot": (
            "rifle; pistol firing; revolver; firearm discharge; sniper; "
            "someone firing a weapon; active shooter; shotgun blast"
        ),
        "a jackhammer": (
            "pneumatic hammer; breaking concrete; air hammer; pneumatic drill on the pavement; "
            "workers breaking up the asphalt; demolition hammer; jack hammer on a building site"
        ),
        "a siren": (
            "ambulance; police car on a call; paramedics rushing; "
            "cops with flashing lights; police chase; firetruck on its way"
        ),
        "street music": (
            "busker; band playing outside; open air concert; musicians on the sidewalk; "
            "street performer; someone playing guitar on the corner; buskers in the city"
        ),
    },
    "Philharmonia": {
        "a cello": "violoncello; cellist; cello player",
        "a double bass": "upright bass; contrabass; bull fiddle; bass player in a jazz trio",
        "a saxophone": "sax; saxophonist; alto sax; tenor sax",
        "a cor anglais": "english horn; alto oboe; cor anglais player",
        "a guitar": "acoustic six-string; guitarist; acoustic guitar player; flamenco guitarist",
        "a french horn": "horn in F; hunting horn; french horn player",
        "a trombone": "slide brass; trombonist; trombone player",
        "a flute": "piccolo; flautist; fife; flute player",
        "orchestral percussion": "kettledrum; drums and cymbals",
        "a clarinet": "clarinetist; licorice stick; clarinet player",
        "a contrabassoon": "double bassoon; contrabassoon player",
        "a mandolin": "mandola; Neapolitan lute; mandolin player",
        "a banjo": "five-string bluegrass instrument; banjoist; banjo player",
        "a bassoon": "bassoonist; fagotto; bassoon player",
        "a bass clarinet": "bass clarinetist; bass clarinet player",
        "an oboe": "oboist; oboe player",
    },
    "emotion": {
        "a man speaking in an angry voice": "furious man; enraged guy yelling; mad guy",
        "a man speaking in a calm voice": "relaxed guy; serene gentleman; peaceful man",
        "a man speaking in a disgusted voice": "revolted male; nauseated man; grossed out guy",
        "a man speaking in a fearful voice": "scared man; terrified boy; frightened guy",
        "a man speaking in a happy voice": "cheerful man; delighted guy; joyful guy",
        "a man speaking in a sad voice": "unhappy man; grieving father; heartbroken man",
        "a man speaking in a surprised voice": "astonished man; amazed fellow; shocked guy",
        "a woman speaking in an angry voice": "enraged lady; furious mother; mad woman",
        "a woman speaking in a calm voice": "relaxed girl; tranquil lady; peaceful woman",
        "a woman speaking in a fearful voice": "frightened girl; panicking lady; scared woman",
        "a woman speaking in a happy voice": "joyful woman; merry lady; cheerful girl",
        "a woman speaking in a sad voice": "sorrowful woman; mourning widow; heartbroken girl",
        "a woman speaking in a surprised voice": "amazed lady; startled girl; shocked woman",
        "a woman speaking in a disgusted voice": "grossed out woman; revolted lady; girl who finds it gross",
        "a man speaking in a neutral voice": "emotionless man; guy talking without any emotion",
        "a woman speaking in a neutral voice": "emotionless woman; lady talking without any emotion",
    },
    "animals": {
        "a dog barking": "golden retriever; doggy; puppy playing",
        "a bird": "chirping sparrow; canary; robin singing at dawn",
        "a cat": "baby cat; kitty; tomcat",
        "a chicken": "hen laying an egg; clucking hen; poultry in the coop",
        "a cow": "moo moo; calf; dairy cattle",
        "a donkey": "mule; stubborn donkey; donkey on a farm",
        "a frog": "frog on a lily pad; croaking amphibian; toad in a pond",
        "a lion": "lion at the zoo; king of the beasts; big cat roaring",
        "a monkey": "chimp; baboon; ape",
        "a sheep": "lambs in a meadow; baa; bleating ewe",
    },
}
