"""The 64 things of the storybook world, written by hand: what each is called and how it behaves.

Enters: nothing. Leaves: ``ROWS`` (one per thing) and ``BACKGROUNDS``, read by ``build_artwork.py``, which
adds keywords from the emoji lists and measures each thing's aspect on the artwork.

A row is (name, plural, icon, category, place, height, synonyms): ``icon`` is the kebab-case name that the
icon sets share, ``place`` is where the thing belongs (ground, sky, water or any), and ``height`` is a
comfortable height in the picture as a share of the frame, so that a mouse stands smaller than an elephant.
"""

ROWS: list[tuple[str, str, str, str, str, float, str]] = [
    # animals
    ("cat", "cats", "cat", "animal", "ground", 0.36, "kitten kitty pussycat tomcat tabby feline"),
    ("dog", "dogs", "dog", "animal", "ground", 0.38, "puppy pup doggy hound terrier canine wolf fox"),
    ("horse", "horses", "horse", "animal", "ground", 0.48, "pony stallion mare foal zebra unicorn donkey"),
    ("cow", "cows", "cow", "animal", "ground", 0.44, "calf bull ox cattle buffalo bison"),
    ("pig", "pigs", "pig", "animal", "ground", 0.36, "piglet hog boar swine piggy"),
    ("rabbit", "rabbits", "rabbit", "animal", "ground", 0.32, "bunny hare"),
    ("mouse", "mice", "mouse", "animal", "ground", 0.26, "rat hamster gerbil squirrel"),
    ("elephant", "elephants", "elephant", "animal", "ground", 0.52, "mammoth rhino rhinoceros hippo"),
    ("penguin", "penguins", "penguin", "animal", "ground", 0.38, "puffin"),
    ("duck", "ducks", "duck", "animal", "any", 0.32, "duckling drake mallard goose swan"),
    ("owl", "owls", "owl", "animal", "sky", 0.36, "owlet"),
    ("fish", "fish", "tropical-fish", "animal", "water", 0.3, "tropical-fish goldfish clownfish angelfish"),
    ("whale", "whales", "spouting-whale", "animal", "water", 0.46, "orca humpback dolphin"),
    ("shark", "sharks", "shark", "animal", "water", 0.36, "great-white hammerhead"),
    ("octopus", "octopuses", "octopus", "animal", "water", 0.38, "squid jellyfish"),
    ("turtle", "turtles", "turtle", "animal", "ground", 0.28, "tortoise terrapin"),
    ("monkey", "monkeys", "monkey", "animal", "ground", 0.4, "ape chimp chimpanzee gorilla"),
    ("tiger", "tigers", "tiger", "animal", "ground", 0.4, "leopard lion lioness panther cheetah"),
    ("camel", "camels", "camel", "animal", "ground", 0.48, "dromedary llama alpaca"),
    ("butterfly", "butterflies", "butterfly", "animal", "sky", 0.3, "moth dragonfly"),
    ("bee", "bees", "honeybee", "animal", "sky", 0.28, "honeybee bumblebee wasp hornet"),
    ("snail", "snails", "snail", "animal", "ground", 0.26, "slug"),
    ("crab", "crabs", "crab", "animal", "ground", 0.28, "lobster crayfish"),
    ("rooster", "roosters", "rooster", "animal", "ground", 0.38, "cock cockerel hen chicken turkey"),
    ("goat", "goats", "goat", "animal", "ground", 0.42, "billy-goat kid ram sheep lamb"),
    ("frog", "frogs", "frog", "animal", "ground", 0.3, "toad froggy"),
    ("ladybug", "ladybugs", "lady-beetle", "animal", "any", 0.26, "ladybird lady-beetle beetle bug"),
    ("chick", "chicks", "front-facing-baby-chick", "animal", "ground", 0.3, "baby-chick baby-bird"),
    # vehicles
    ("car", "cars", "automobile", "vehicle", "ground", 0.34, "automobile auto sedan taxi cab van"),
    ("bus", "buses", "bus", "vehicle", "ground", 0.42, "coach minibus school-bus trolleybus"),
    ("fire truck", "fire trucks", "fire-engine", "vehicle", "ground", 0.4, "fire-engine firetruck truck lorry"),
    ("police car", "police cars", "police-car", "vehicle", "ground", 0.34, "patrol-car cop-car squad-car"),
    ("bicycle", "bicycles", "bicycle", "vehicle", "ground", 0.36, "bike cycle pushbike"),
    ("motorcycle", "motorcycles", "motorcycle", "vehicle", "ground", 0.38, "motorbike scooter moped"),
    ("train", "trains", "locomotive", "vehicle", "ground", 0.42, "locomotive steam-engine steam-train tram"),
    ("tractor", "tractors", "tractor", "vehicle", "ground", 0.4, "bulldozer digger"),
    ("sailboat", "sailboats", "sailboat", "vehicle", "water", 0.44, "boat sailing-boat yacht ship dinghy"),
    ("airplane", "airplanes", "airplane", "vehicle", "sky", 0.36, "aeroplane plane jet aircraft"),
    ("helicopter", "helicopters", "helicopter", "vehicle", "sky", 0.34, "chopper copter drone"),
    ("rocket", "rockets", "rocket", "vehicle", "sky", 0.44, "spaceship spacecraft space-shuttle missile"),
    # food
    ("apple", "apples", "red-apple", "food", "any", 0.3, "red-apple"),
    ("banana", "bananas", "banana", "food", "any", 0.32, "plantain"),
    ("strawberry", "strawberries", "strawberry", "food", "any", 0.3, "berry raspberry"),
    ("watermelon", "watermelons", "watermelon", "food", "any", 0.3, "melon"),
    ("pizza", "pizzas", "pizza", "food", "any", 0.34, "pizza-slice"),
    ("hamburger", "hamburgers", "hamburger", "food", "any", 0.34, "burger cheeseburger"),
    ("doughnut", "doughnuts", "doughnut", "food", "any", 0.3, "donut"),
    ("cake", "cakes", "birthday-cake", "food", "any", 0.38, "birthday-cake pie cupcake tart"),
    # people
    ("boy", "boys", "boy", "person", "ground", 0.42, "son lad schoolboy child kid man father king prince"),
    ("girl", "girls", "girl", "person", "ground", 0.42, "daughter lass schoolgirl woman lady mother"),
    ("princess", "princesses", "princess", "person", "ground", 0.44, "queen royal-lady"),
    (
        "police officer",
        "police officers",
        "police-officer",
        "person",
        "ground",
        0.44,
        "policeman policewoman cop constable officer",
    ),
    ("dancer", "dancers", "woman-dancing", "person", "ground", 0.5, "woman-dancing ballerina salsa"),
    ("snowman", "snowmen", "snowman", "person", "ground", 0.46, "frosty"),
    # objects
    ("palm tree", "palm trees", "palm-tree", "object", "ground", 0.56, "palm coconut-tree"),
    ("tree", "trees", "deciduous-tree", "object", "ground", 0.54, "oak maple deciduous-tree pine"),
    ("sunflower", "sunflowers", "sunflower", "object", "ground", 0.42, "flower daisy rose tulip"),
    ("mushroom", "mushrooms", "mushroom", "object", "ground", 0.3, "toadstool fungus"),
    ("house", "houses", "house", "object", "ground", 0.52, "home cottage hut cabin building"),
    ("castle", "castles", "castle", "object", "ground", 0.56, "fortress palace fort tower"),
    ("umbrella", "umbrellas", "umbrella", "object", "any", 0.4, "parasol brolly"),
    ("guitar", "guitars", "guitar", "object", "any", 0.42, "ukulele banjo"),
    ("ball", "balls", "soccer-ball", "object", "any", 0.26, "soccer-ball football beach-ball basketball"),
    ("balloon", "balloons", "balloon", "object", "sky", 0.42, "hot-air-balloon party-balloon"),
]

#: Spellings that differ between icon sets: (look, icon) -> the name that this set uses.
OTHER_SPELLINGS = {("emojione", "frog"): "frog-face"}

#: Background name -> words that also mean it.
BACKGROUNDS: dict[str, str] = {
    "beach": "seaside shore coast sand seashore ocean sea bay island tropical lagoon",
    "forest": "woods woodland jungle trees rainforest grove wilderness",
    "city": "town downtown skyline street skyscrapers buildings urban village square",
    "desert": "dunes sahara cactus canyon dry savanna savannah oasis mars",
    "snowy mountains": "mountains mountain snow alps peak peaks ski winter arctic ice glacier hills snowy",
    "night": "stars starry midnight moonlight dark evening night-sky moon campfire",
    "underwater": "under-the-sea seabed reef coral-reef ocean-floor deep-sea aquarium",
    "kitchen": "cooking restaurant cafe bakery dining-room table",
    "bedroom": "bed room living-room home indoors house-inside sleeping nursery",
    "park": "meadow garden field grass lawn playground countryside farm zoo",
    "road": "highway motorway country-road lane path race-track freeway",
    "space": "outer-space galaxy planet planets cosmos universe orbit asteroid",
}
