"""The 64 things of the storybook world, written by hand: what each is called and how it behaves.

Leaves `ROWS` (one per thing), `BACKGROUNDS` and what to leave out of the borrowed keyword lists,
all read by `build_artwork.py`, which adds keywords and measures each thing's aspect on the
artwork.

A row is (name, plural, icon, category, place, height, synonyms): `icon` is the kebab-case name
that the icon sets share, `place` is where the thing belongs (ground, sky, water or any), and
`height` is a comfortable height in the picture as a share of the frame, so that a mouse stands
smaller than an elephant. Synonyms may be neighbours ("wolf" under dog): a planner that uses one
has to say so. Within a synonym, a hyphen stands for a space.
"""

# fmt: off
ROWS: list[tuple[str, str, str, str, str, float, str]] = [
    # animals
    ("cat", "cats", "cat", "animal", "ground", 0.36,
     "kitten kitty pussycat tomcat tabby feline"),
    ("dog", "dogs", "dog", "animal", "ground", 0.38,
     "puppy pup doggy hound terrier poodle canine wolf fox"),
    ("horse", "horses", "horse", "animal", "ground", 0.48,
     "pony stallion mare foal colt zebra unicorn donkey mule"),
    ("cow", "cows", "cow", "animal", "ground", 0.44,
     "calf bull ox cattle buffalo bison yak"),
    ("pig", "pigs", "pig", "animal", "ground", 0.36,
     "piglet hog boar swine piggy"),
    ("rabbit", "rabbits", "rabbit", "animal", "ground", 0.32,
     "bunny hare bunny-rabbit"),
    ("mouse", "mice", "mouse", "animal", "ground", 0.26,
     "rat hamster gerbil squirrel hedgehog mole"),
    ("elephant", "elephants", "elephant", "animal", "ground", 0.52,
     "mammoth rhino rhinoceros hippo hippopotamus"),
    ("penguin", "penguins", "penguin", "animal", "ground", 0.38,
     "puffin"),
    ("duck", "ducks", "duck", "animal", "any", 0.32,
     "duckling drake mallard goose swan"),
    ("owl", "owls", "owl", "animal", "sky", 0.36,
     "owlet bird eagle hawk falcon parrot pigeon crow raven"),
    ("fish", "fish", "tropical-fish", "animal", "water", 0.3,
     "tropical-fish goldfish clownfish angelfish salmon trout"),
    ("whale", "whales", "spouting-whale", "animal", "water", 0.46,
     "orca humpback dolphin porpoise"),
    ("shark", "sharks", "shark", "animal", "water", 0.36,
     "great-white hammerhead"),
    ("octopus", "octopuses", "octopus", "animal", "water", 0.38,
     "squid jellyfish kraken"),
    ("turtle", "turtles", "turtle", "animal", "ground", 0.28,
     "tortoise terrapin"),
    ("monkey", "monkeys", "monkey", "animal", "ground", 0.4,
     "ape chimp chimpanzee gorilla baboon"),
    ("tiger", "tigers", "tiger", "animal", "ground", 0.4,
     "leopard lion lioness panther cheetah jaguar"),
    ("camel", "camels", "camel", "animal", "ground", 0.48,
     "dromedary llama alpaca giraffe"),
    ("butterfly", "butterflies", "butterfly", "animal", "sky", 0.3,
     "moth dragonfly"),
    ("bee", "bees", "honeybee", "animal", "sky", 0.28,
     "honeybee bumblebee wasp hornet"),
    ("snail", "snails", "snail", "animal", "ground", 0.26,
     "slug"),
    ("crab", "crabs", "crab", "animal", "ground", 0.28,
     "lobster crayfish"),
    ("rooster", "roosters", "rooster", "animal", "ground", 0.38,
     "cock cockerel hen chicken turkey"),
    ("goat", "goats", "goat", "animal", "ground", 0.42,
     "billy-goat ram sheep lamb deer antelope"),
    ("frog", "frogs", "frog", "animal", "ground", 0.3,
     "toad froggy"),
    ("ladybug", "ladybugs", "lady-beetle", "animal", "any", 0.26,
     "ladybird lady-beetle beetle bug insect"),
    ("chick", "chicks", "front-facing-baby-chick", "animal", "ground", 0.3,
     "baby-chick baby-bird canary"),
    # vehicles
    ("car", "cars", "automobile", "vehicle", "ground", 0.34,
     "automobile auto sedan sports-car race-car taxi cab van limousine"),
    ("bus", "buses", "bus", "vehicle", "ground", 0.42,
     "coach minibus school-bus trolleybus"),
    ("fire truck", "fire trucks", "fire-engine", "vehicle", "ground", 0.4,
     "fire-engine firetruck truck lorry"),
    ("police car", "police cars", "police-car", "vehicle", "ground", 0.34,
     "patrol-car cop-car squad-car"),
    ("bicycle", "bicycles", "bicycle", "vehicle", "ground", 0.36,
     "bike cycle pushbike tricycle"),
    ("motorcycle", "motorcycles", "motorcycle", "vehicle", "ground", 0.38,
     "motorbike scooter moped"),
    ("train", "trains", "locomotive", "vehicle", "ground", 0.42,
     "locomotive steam-engine steam-train tram railway"),
    ("tractor", "tractors", "tractor", "vehicle", "ground", 0.4,
     "bulldozer digger"),
    ("sailboat", "sailboats", "sailboat", "vehicle", "water", 0.44,
     "boat sailing-boat yacht ship dinghy ferry canoe"),
    ("airplane", "airplanes", "airplane", "vehicle", "sky", 0.36,
     "aeroplane plane jet aircraft airliner"),
    ("helicopter", "helicopters", "helicopter", "vehicle", "sky", 0.34,
     "chopper copter drone"),
    ("rocket", "rockets", "rocket", "vehicle", "sky", 0.44,
     "rocket-ship spaceship spacecraft space-shuttle shuttle missile"),
    # food
    ("apple", "apples", "red-apple", "food", "any", 0.3,
     "red-apple"),
    ("banana", "bananas", "banana", "food", "any", 0.32,
     "plantain"),
    ("strawberry", "strawberries", "strawberry", "food", "any", 0.3,
     "berry raspberry"),
    ("watermelon", "watermelons", "watermelon", "food", "any", 0.3,
     "melon"),
    ("pizza", "pizzas", "pizza", "food", "any", 0.34,
     "pizza-slice slice-of-pizza"),
    ("hamburger", "hamburgers", "hamburger", "food", "any", 0.34,
     "burger cheeseburger sandwich"),
    ("doughnut", "doughnuts", "doughnut", "food", "any", 0.3,
     "donut"),
    ("cake", "cakes", "birthday-cake", "food", "any", 0.38,
     "birthday-cake pie cupcake tart"),
    # people
    ("boy", "boys", "boy", "person", "ground", 0.42,
     "son lad schoolboy child kid brother man father dad grandfather king prince"),
    ("girl", "girls", "girl", "person", "ground", 0.42,
     "daughter lass schoolgirl sister woman lady mother mum mom grandmother"),
    ("princess", "princesses", "princess", "person", "ground", 0.44,
     "queen"),
    ("police officer", "police officers", "police-officer", "person", "ground", 0.44,
     "policeman policewoman cop constable officer guard"),
    ("dancer", "dancers", "woman-dancing", "person", "ground", 0.5,
     "dancing-woman ballerina flamenco-dancer salsa-dancer"),
    ("snowman", "snowmen", "snowman", "person", "ground", 0.46,
     "snow-man"),
    # objects
    ("palm tree", "palm trees", "palm-tree", "object", "ground", 0.56,
     "palm coconut-tree coconut-palm"),
    ("tree", "trees", "deciduous-tree", "object", "ground", 0.54,
     "oak maple deciduous-tree pine pine-tree fir apple-tree"),
    ("sunflower", "sunflowers", "sunflower", "object", "ground", 0.42,
     "flower daisy rose tulip"),
    ("mushroom", "mushrooms", "mushroom", "object", "ground", 0.3,
     "toadstool fungus"),
    ("house", "houses", "house", "object", "ground", 0.52,
     "home cottage hut cabin building"),
    ("castle", "castles", "castle", "object", "ground", 0.56,
     "fortress palace fort tower"),
    ("umbrella", "umbrellas", "umbrella", "object", "any", 0.4,
     "parasol brolly"),
    ("guitar", "guitars", "guitar", "object", "any", 0.42,
     "electric-guitar ukulele banjo"),
    ("ball", "balls", "soccer-ball", "object", "any", 0.26,
     "soccer-ball football beach-ball basketball"),
    ("balloon", "balloons", "balloon", "object", "sky", 0.42,
     "hot-air-balloon party-balloon"),
]
# fmt: on

#: Keywords of the emoji lists that name no thing one could ask to see, or name another thing.
_NOT_NAMES = """
agriculture arabian baby bass bengal birthday blond blonde blue breakfast bump cancer candles
capricorn caterpillar cheeky cheese christmas clothing coconut cold creature croak crown
crustacean cute dairy dance delicious department deploy doge domestic dormouse dress electric
enforcement engine equestrian european exercise fairy faithful fall fantasy farming fast fins
fire flight friend frozen fun galloping gamble great guy hatched hipster history honey hoot hot
hump instrument italy jaws launch legal luck mac magic maiden male mcdonalds meat meow milk
mojito moo music nasa nemo nose one open outer pastry patrol pepperoni picnic pretty push race
rain resort roar rock rodent rounded royal royalty sailing salsa season shedding shell shroom
slice snack snowflakes snowing sow space speed staffmode standing steam sun swim tale th tiara
tropical turrets virgin virgo water white wise wood xmas
"""
NOT_NAMES = frozenset(_NOT_NAMES.split()) | {"burger king"}

#: Spellings that differ between icon sets: (look, icon) -> the name that this set uses.
OTHER_SPELLINGS = {("emojione", "frog"): "frog-face"}

#: Background name -> words that also mean it.
BACKGROUNDS: dict[str, str] = {
    "beach": "seaside shore coast sand seashore ocean sea bay island lagoon",
    "forest": "woods woodland jungle rainforest grove wilderness",
    "city": "town downtown skyline street skyscrapers buildings village city-street square",
    "desert": "dunes sahara canyon savanna savannah oasis",
    "snowy mountains": "mountains mountain snow alps peak peaks winter arctic ice glacier snowy",
    "night": "stars starry-sky midnight moonlight dark evening night-sky moon",
    "underwater": "under-the-sea under-water seabed reef coral-reef ocean-floor deep-sea aquarium",
    "kitchen": "restaurant cafe bakery dining-room",
    "bedroom": "bed room living-room indoors nursery",
    "park": "meadow garden field grass lawn playground countryside farm zoo",
    "road": "highway motorway country-road lane path race-track freeway",
    "space": "outer-space galaxy planet planets cosmos universe orbit mars",
}
