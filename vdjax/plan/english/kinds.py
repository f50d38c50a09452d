"""What pronouns and loose words can stand for: who is a "she", what is an "animal", what one eats.

Lists in plain text, because they are data, and the few questions asked of them. A thing enters as
its kind (`name`, `category`, `place`, as in the vocabulary) and the words it was called by; an
answer leaves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

from vdjax.plan.english import words


class Kind(Protocol):
    """What is known of a thing: its name, its category and where it belongs; see `EntityWord`."""

    @property
    def name(self) -> str: ...
    @property
    def category(self) -> str: ...
    @property
    def place(self) -> str: ...


def _words(text: str) -> frozenset[str]:
    return frozenset(word.replace("_", " ") for word in text.split())


def _sets(text: str) -> dict[str, frozenset[str]]:
    """Lines "word word: member member" as {word: members}."""
    table = {}
    for line in text.strip().splitlines():
        heads, _, members = line.partition(":")
        for head in heads.split():
            table[head.replace("_", " ")] = _words(members)
    return table


HE = _words("""
boy man king prince father dad grandfather grandpa uncle brother son lad schoolboy guy policeman
snowman snow_man husband boyfriend wizard monk sir cock cockerel bull ram tomcat stallion
tom tim jack john peter paul ben leo james david
""")
SHE = _words("""
girl woman queen princess mother mum mom grandmother grandma granny aunt aunty sister daughter lass
lady schoolgirl policewoman wife girlfriend witch dancing_woman ballerina woman_dancing dancer hen
mare lioness
anna emma lily lucy mary maria mia sara zoe
""")

#: People and beings that have no picture of their own, or borrow one. "person" can be he or she,
#: "animal" can be it as well.
PEOPLE = _words("""
witch wizard knight pirate soldier doctor nurse teacher farmer chef cook driver pilot astronaut
clown monk thief captain fairy elf giant sailor fisherman hunter student scientist worker baker
hero person human child kid baby toddler guy friend neighbour neighbor musician singer painter
magician mermaid waiter postman gardener tourist
""")
CREATURES = _words("""
dragon robot monster alien dinosaur snake lizard crocodile alligator spider ant worm ghost parrot
bird animal creature pet beast dolphin seal bat otter badger beaver hedgehog squirrel fox wolf bear
lion giraffe zebra donkey unicorn kangaroo koala panda
""")
MACHINES = _words("""
spaceship spacecraft ufo submarine truck lorry van taxi wagon carriage sledge sled skateboard boat
ship plane vehicle machine
""")
EATEN = _words("""
soup bread sandwich egg cheese carrot potato tomato orange lemon pear cherry honey cookie cookies
candy chocolate ice-cream snack food fruit meal dinner lunch breakfast milk juice tea coffee bone
""")

#: Words whose picture is only that of a relation: a wolf is drawn as a dog, but is not one.
COUSINS = _words("""
wolf fox coyote bear panda raccoon zebra unicorn donkey mule bull ox buffalo bison yak hare rat
hamster gerbil squirrel hedgehog mole guinea_pig mammoth rhino rhinoceros hippo hippopotamus puffin
goose swan eagle hawk falcon parrot pigeon crow raven dove bat seagull gull pelican flamingo salmon
trout goldfish tuna seahorse dolphin porpoise orca seal walrus squid jellyfish gorilla chimp
chimpanzee baboon ape leopard lion lioness panther cheetah jaguar llama alpaca giraffe moth
dragonfly wasp hornet fly mosquito slug lobster crayfish shrimp turkey hen peacock ram sheep lamb
deer antelope reindeer toad beetle canary kangaroo lynx truck lorry bulldozer digger tram subway
metro ship yacht canoe ferry raft spaceship ufo shuttle glider drone jeep tractor ambulance
man father dad grandfather king prince uncle woman mother mum mom grandmother queen
knight wizard pirate clown soldier doctor teacher farmer chef driver pilot sailor astronaut
fisherman hunter student scientist worker baker hero fairy daisy rose tulip oak pine palace tower
sandwich burger pie cupcake muffin bagel volleyball basketball
""")

_MOUNTS = _words("horse pony camel elephant donkey unicorn zebra cow dragon")
_PLANTS = _words("tree palm_tree sunflower mushroom flower bush plant rose tulip daisy oak pine")
_BUILDINGS = _words("house castle cottage hut cabin building tower palace cave tent barn hotel")
_HOLLOW = _words("chest box bag basket kettle bucket pot")

#: Loose words for something named before. A member is a category, a kind, a word or a trait.
SORTS = _sets("""
animal creature beast critter: animal
pet: cat dog rabbit mouse fish turtle
bird: owl duck rooster chick penguin parrot eagle seagull pigeon dove goose swan hen chicken crow
insect bug: bee butterfly ladybug beetle moth
fish: shark
person human: person
child kid youngster: boy girl
man guy gentleman: he police_officer
woman lady: she police_officer
vehicle: vehicle
machine: vehicle robot
car: police_car taxi cab
truck lorry: fire_truck truck
bike: bicycle motorcycle
boat ship vessel: sailboat
aircraft flyer: airplane helicopter rocket
spaceship: rocket
fruit: apple banana strawberry watermelon orange pear
food snack treat meal dessert: food
tree: palm_tree
plant flower: plant
building home: building
toy: ball balloon
instrument: guitar
thing object item: object food vehicle
one: animal person vehicle food object
""")
SORTS["friend"] = SORTS["animal"] | SORTS["person"]

#: Who can do what: for a verb, or for its motion, those that a pronoun before it may mean.
_DOERS = _sets("""
fly soar hover: sky balloon rocket ball
rise land take_off lift_off blast_off launch: sky rocket balloon
drive stop park honk crash brake: vehicle
sail sink: sailboat boat ship
roll bounce: ball
burst pop: balloon
melt: snowman
grow bloom: plant
shine glow: lamp
bark wag growl: dog
meow purr: cat
crow cluck: rooster
moo: cow
""")
#: What can be done to what: for a verb or a preposition, what a pronoun after it may mean.
_DONE_TO = _sets("""
eat bite taste bake cook nibble munch chew swallow serve share: food
drink: food
ride mount: mount vehicle
drive board steer sail pilot repair fix get_in get_on get_into hop_on hop_into jump_into: vehicle
get_out get_off step_out climb_out: vehicle mount
climb_into climb_on come_out: vehicle building hollow
throw kick hit toss catch bounce fetch: ball food
open close: umbrella hollow building vehicle
play: guitar ball
take give bring carry put drop hold steal want need lift pick_up put_down: object food
plant water pick smell: plant
climb: plant
pet feed hug kiss greet thank meet scare help tell ask: animal person
chase hunt bite sting pinch follow: animal person
into out: vehicle building hollow
in: vehicle building hollow
under: plant umbrella
on onto: vehicle mount plant building hollow
""")
_LIVELY = _words("""
hold watch chase follow meet throw mount act push make begin
""")
"""Motions of verbs (see `words.VERBS`) that only the living do."""
_LIVELY_VERBS = _words("""
sleep wake wake_up walk run jump swim hide sit dance eat drink climb hop leap crawl escape dive
rest nap play laugh cry want dig flee
""")

ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6}

_SIZES = {
    **dict.fromkeys(("small", "little", "tiny", "wee", "mini", "miniature", "baby", "short"), "s"),
    **dict.fromkeys(("big", "large", "huge", "giant", "gigantic", "enormous", "tall"), "l"),
}


def ordinal(said: Iterable[str]) -> int:
    """2 for "the second cat"; 0 where no ordinal was said."""
    return next((ORDINALS[word] for word in said if word in ORDINALS), 0)


def category(said: str) -> str:
    """The category of a word that no picture stands for: "object" unless the lists know it."""
    lists = (("person", PEOPLE), ("animal", CREATURES), ("vehicle", MACHINES), ("food", EATEN))
    if said in HE or said in SHE:
        return "person"
    return next((name for name, members in lists if said in members), "object")


def traits(kind: Kind, said: Collection[str]) -> frozenset[str]:
    """Everything a thing may be asked for by: its kind, category, place, names, and lists."""
    own = {kind.name, *said}
    found = {*own, kind.category, kind.place}
    for trait, members in (
        ("mount", _MOUNTS),
        ("plant", _PLANTS),
        ("building", _BUILDINGS),
        ("hollow", _HOLLOW),
        ("he", HE),
        ("she", SHE),
    ):
        if own & members:
            found.add(trait)
    return frozenset(found)


def gender(kind: Kind, said: Collection[str]) -> str:
    """ "he", "she", or nothing where the words do not say it."""
    told = set(said)
    if not told & (HE | SHE | PEOPLE):  # but not the kind of "a child", drawn as a boy
        told = {kind.name}
    sexes = [sex for sex, members in (("he", HE), ("she", SHE)) if told & members]
    return sexes[0] if len(sexes) == 1 else ""


def is_sort(word: str, kind: Kind, said: Collection[str]) -> bool:
    """Whether "the animal" (`word`) may mean this thing."""
    return bool(SORTS.get(word, frozenset()) & traits(kind, said))


def can_do(verbs: Iterable[str], kind: Kind, said: Collection[str]) -> int:
    """How well a thing fits before a verb (its lemma and its motion): 1, 0, or -1 if badly."""
    known = traits(kind, said)
    verbs = tuple(verbs)
    dead = kind.category in ("food", "object")
    for verb in verbs:
        if verb in _DOERS:
            return 1 if _DOERS[verb] & known else -1 if dead else 0
    if any(verb in _LIVELY or verb in _LIVELY_VERBS for verb in verbs):
        return 1 if kind.category in ("animal", "person") else -1
    return -1 if dead and not {"ball", "balloon"} & known else 0


def can_be_done_to(verbs: Iterable[str], kind: Kind, said: Collection[str]) -> int:
    """How well a thing fits after a verb or a preposition: 1, 0, or -1 if badly."""
    for verb in verbs:
        if verb in _DONE_TO:
            return 1 if _DONE_TO[verb] & traits(kind, said) else -1
    return 0


def qualities(said: Iterable[str]) -> frozenset[str]:
    """Adjectives that tell one thing from another, words for small and large as one each."""
    return frozenset(_SIZES.get(word, word) for word in said if word not in ORDINALS)


def clash(one: Collection[str], other: Collection[str]) -> bool:
    """Whether two sets of qualities speak of two things: a black cat is not the white cat."""
    for alike in (words.COLOURS, frozenset(_SIZES.values())):
        first, second = alike & set(one), alike & set(other)
        if first and second and not first & second:
            return True
    return False
