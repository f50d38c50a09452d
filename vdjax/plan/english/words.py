"""The words that are not in the vocabulary of pictures: verbs, adjectives, and the small ones.

Lists in plain text, because they are data. A verb stands beside the motion it makes; a word that
can be read but not drawn stands in a list too, so that the planner can say so instead of
guessing.
"""

from __future__ import annotations


def _table(text: str) -> dict[str, str]:
    """Lines "action: word word ..." as {word: action}."""
    table = {}
    for line in text.strip().splitlines():
        action, _, words = line.partition(":")
        for word in words.split():
            table[word.replace("_", " ")] = action.strip()
    return table


def _pairs(text: str) -> dict[str, str]:
    """Pairs "form=word" as {form: word}."""
    return dict(pair.split("=") for pair in text.split())


def _words(text: str) -> frozenset[str]:
    return frozenset(word.replace("_", " ") for word in text.split())


#: What a verb looks like on the screen. "act" is a verb that can be read but not shown.
VERBS = _table("""
go: move go walk run jog march travel roll slide race crawl stroll wander hurry dash rush trot
go: gallop speed zoom cross pass creep sneak cruise drift glide skate ski waddle head step
go: journey
go: shift switch relocate saunter amble meander strut zip whizz bolt shuffle trudge trek veer
go: swerve make_its_way make_his_way make_her_way find_its_way change_sides change_its_place
go: sprint hike tiptoe limp slither scurry patrol explore flow return continue charge advance
go: swim
go: overtake outrun paddle wade proceed scamper plod stride roam
fly: fly soar hover flutter float
rise: rise ascend climb launch lift_off take_off blast_off levitate go_up come_up float_up
fall: fall drop descend sink land dive come_down tumble plunge touch_down go_down splash
bounce: bounce jump hop skip bob dance wiggle shake wobble prance play celebrate sway cheer
arc: leap vault somersault
circle: circle spin rotate orbit whirl twirl swirl loop revolve
grow: grow expand inflate swell bloom enlarge sprout come_closer get_closer get_bigger get_larger
shrink: shrink deflate melt recede get_smaller
enter: enter arrive come_in
leave: quit withdraw retreat slip_away slip_out slip_off wander_off walk_off ride_off sneak_off
leave: leave exit go_away escape flee depart go_off go_out run_off drive_off fly_off get_away
appear: get_out come_out get_off step_out climb_out appear show_up pop_up turn_up emerge
appear: come_along surface crop_up spring_up arise
appear: materialise materialize come_into_view come_into_sight
disappear: disappear vanish fade hide evaporate dissolve be_gone
chase: chase hunt pursue run_after go_after race_after
follow: follow trail accompany
meet: meet greet hug kiss join visit bump_into fight embrace encounter marry touch
approach: crash smash bump collide approach reach find discover come attack
mount: drive ride sail steer pilot board cycle get_in get_on hop_on climb_on get_into
mount: climb_into
mount: hop_into jump_into
hold: hold carry eat bring take have wear bite catch grab drink open cook bake serve offer own
hold: deliver give hug pick_up pick play_with lick wave sell buy get use share collect steal
hold: enjoy
push: push pull drag tow shove
throw: throw kick toss hit fling launch_at
watch: watch see look stare observe notice spot admire gaze glance peek look_at hear listen
watch: listen_to
still: sit stand lie rest sleep wait stay stop park be live relax nap remain pause doze
still: sit_down lie_down locate situate place
still: stand_up wake_up wake kneel lean halt camp lay hang end end_up finish
make: make let help
begin: start begin want try need decide seem keep manage
act: sing talk speak think smile laugh cry read write bark meow roar say tell ask work love
act: like call
act: cook paint sneeze yawn shine glow burn blow whisper shout scream clap nod teach learn
act: dream study
act: wag blink snore growl howl purr chirp hiss honk crow quack buzz break fix build dig clean
act: wash
act: sweep cut draw point rain snow explode shoot win lose hope wonder remember forget feel
act: smell taste
act: practise practice exercise perform show guard protect save rescue hatch graze feed milk
act: plant water
act: set order count measure hide_from know mean choose pray chat gossip argue compete cuddle
act: snuggle
act: stretch strum scratch sniff swallow chew nibble munch trick tease scare surprise frighten
act: bathe shower dress prepare decorate celebrate_with welcome thank forgive invite
""")

#: Past forms and others that no rule finds.
IRREGULAR = _pairs("""
went=go gone=go ran=run flew=fly flown=fly swam=swim drove=drive driven=drive rode=ride
ridden=ride met=meet saw=see seen=see ate=eat eaten=eat sat=sit stood=stand fell=fall
fallen=fall rose=rise risen=rise threw=throw thrown=throw left=leave came=come grew=grow
grown=grow shrank=shrink shrunk=shrink was=be were=be is=be are=be am=be been=be being=be
's=be had=have has=have did=do slid=slide crept=creep took=take taken=take brought=bring
caught=catch held=hold gave=give given=give found=find spun=spin sank=sink sunk=sink
slept=sleep lay=lie lying=lie lain=lie hid=hide hidden=hide bit=bite bitten=bite drank=drink
wore=wear worn=wear made=make let=let fled=flee hung=hang lept=leap leapt=leap dove=dive
swung=swing sped=speed woke=wake sang=sing spoke=speak thought=think said=say told=tell
read=read wrote=write built=build dug=dig broke=break broken=break blew=blow shone=shine
began=begin kept=keep felt=feel sold=sell bought=buy got=get stole=steal shot=shoot won=win
lost=lose heard=hear fought=fight hit=hit cut=cut taught=teach dying=die tying=tie
""")

AUXILIARIES = _words("""
do does did will would can could may might must shall should has have had be is are was were
been being am get gets got getting become becomes became becoming dont doesnt not never wont
cant
""")

COPULAS = _words("be is are was were am seem seems look looks become becomes")

#: Adverbs and adjectives of speed, and by how much they stretch a path.
SPEEDS = {
    "slowly": 0.6, "slow": 0.6, "gently": 0.7, "calmly": 0.7, "carefully": 0.7, "lazily": 0.6,
    "quickly": 1.35, "fast": 1.35, "rapidly": 1.35, "swiftly": 1.35, "speedily": 1.35,
    "hurriedly": 1.3, "quick": 1.35, "a little": 0.6, "slightly": 0.6,
}  # fmt: skip

#: Adjectives of size, and by how much they scale a thing.
SIZES = {
    "big": 1.3, "large": 1.3, "huge": 1.55, "giant": 1.6, "gigantic": 1.6, "enormous": 1.6,
    "massive": 1.55, "tall": 1.3, "great": 1.2, "fat": 1.15, "chubby": 1.15, "vast": 1.5,
    "small": 0.75, "little": 0.75, "tiny": 0.6, "mini": 0.65, "miniature": 0.65, "short": 0.85,
    "minuscule": 0.55, "wee": 0.7, "baby": 0.7, "young": 0.85, "thin": 0.9, "distant": 0.55,
    "faraway": 0.55, "close-up": 1.5,
}  # fmt: skip

#: Words that compare a thing with the one named before, and how.
COMPARED = {
    **dict.fromkeys(("bigger", "larger", "taller", "greater", "huger"), "bigger"),
    **dict.fromkeys(("smaller", "littler", "tinier", "shorter"), "smaller"),
    "equally": "same",
}

COLOURS = _words("""
red orange yellow green blue purple violet pink brown black white grey gray golden gold silver
turquoise beige crimson scarlet navy magenta cyan teal colourful colorful rainbow dark bright
pale striped spotted dotted multicoloured multicolored ginger maroon
""")

ADJECTIVES = _words("""
happy sad angry hungry thirsty tired sleepy funny silly cute pretty beautiful lovely nice good
bad old new ancient modern clean dirty shiny fluffy furry hairy soft hard warm hot cold cool
wet dry round square flat smooth rough long wide narrow deep high low heavy light strong weak
brave shy scared afraid kind friendly cheerful playful curious lonely lost lazy busy quiet
loud noisy calm wild tame magic magical mysterious strange weird famous poor rich fresh ripe
juicy sweet sour tasty delicious yummy spicy broken fancy elegant empty full open closed
wooden metal plastic stone paper golden glass toy real fake own same different only single
lone favourite favorite special perfect clever smart wise stupid foolish proud gentle fierce
mighty cheeky naughty adorable sunny rainy windy cloudy foggy stormy snowy starry icy frozen
sandy grassy rocky tropical summer winter spring autumn early late whole entire nearby
magnificent majestic grumpy fluffy-eared long-eared excited surprised realistic lively cartoon
rounded glossy outlined chocolate birthday electric wonderful amazing cosy cozy peaceful
gloomy spooky scary dangerous safe free hot-air royal posh sporty vintage rusty
""")

#: Of these, what says nothing of how a thing looks.
NO_LOOKS = _words("same own different only single lone whole entire nearby early late second bit")
#: What passes: a hungry cat of one scene need not be hungry in the next.
PASSING = _words("""
happy sad angry hungry thirsty tired sleepy scared afraid lonely lost busy quiet loud noisy calm
excited surprised warm hot cold cool wet dry dirty empty full open closed sunny rainy windy cloudy
foggy stormy free safe proud
""")

#: Nouns that are often met and that no picture stands for. A list, not a limit: other unknown
#: words are reported just the same; these only never count as misspellings.
UNDRAWABLE = _words("""
friend friends nose shell honey milk meat candle candles dress crown rain rock music sun moon
star cloud clouds hero magic luck speed season christmas exercise fun fantasy tale wood party
birthday love life time day morning afternoon year week hour minute second world story end
beginning dream wind storm lightning thunder rainbow fire smoke flame water juice coffee tea
bread soup food dinner lunch meal chair sofa couch lamp door window wall floor roof ceiling
box bag basket bottle cup plate bowl spoon fork knife book phone computer television tv camera
clock watch hat cap shoe shoes shirt coat glasses key keys money coin gift present toy doll
robot monster dragon dinosaur ghost witch wizard pirate alien giant knight soldier doctor
nurse teacher farmer chef driver pilot astronaut clown snake lizard crocodile alligator spider
ant worm bridge river lake pond waterfall pool boatman net rope ladder fence gate stairs bench
sign flag mirror blanket pillow bucket shovel hammer tool machine engine wheel tyre tire wing
wings tail ear ears eye eyes head face hand hands foot feet leg legs paw paws mouth hair fur
feather back song game race show dance kiss hug voice sound noise light shadow colour color
air ground card cart hose moose boat-house drum piano violin trumpet flute ice-cream icecream
sandwich egg eggs carrot potato tomato grape grapes lemon orange pear peach cherry pineapple
corn rice nut cookie cookies candy sweets chocolate leaf leaves branch seed bush plant nest
web hive barn stable tent hotel school shop store market church hospital station airport
harbour harbor port museum library office gym stadium tower bell statue fountain snowball
snowflake sled sledge skateboard kite swing slide trampoline spell treasure map sword shield
hole stick bone fish-bowl newspaper letter picture painting photo image scene video film movie
clip frame screen animation cartoon view part half corner side edge centre center middle top
bottom left right everything something anything nothing someone somebody everyone everybody
thing things stuff place way adventure journey trip walk nap sleep rest bath breath idea
problem question answer name joy peace crowd audience band orchestra line circle square
triangle reason news war creature blue great white legal department standing open cheeky
enforcement patrol staffmode deploy gamble roar moo fast push hot one hump bump shedding
rounded electric bass clothing pretty wise cute faithful male pepperoni italy history european
virgin virgo cancer mac delicious hipster resort capricorn flight dry cold fall frozen snowing
space-suit hot_dog hot_dogs jelly_fish sea_lion sea_horse dog_food cat_food apple_juice sunset
sunrise dawn dusk rocks stones stone grasshopper
""")

#: Kinds and kin that the pictures' own keywords leave out, and the nearest picture for each.
KIN = _table("""
cat: puss lynx
dog: coyote bulldog husky labrador bear panda raccoon animal pet
mouse: guinea_pig
rabbit: kangaroo
duck: seagull gull pelican flamingo
owl: dove bat
goat: reindeer
fish: tuna seahorse
whale: seal walrus
bee: fly mosquito
crab: shrimp
rooster: peacock
car: jeep vehicle racecar
fire truck: ambulance
train: subway metro
sailboat: raft
airplane: glider
rocket: ufo
doughnut: bagel
cake: muffin
apple: fruit
boy: baby uncle guy person toddler human astronaut knight wizard pirate clown soldier
boy: doctor teacher farmer chef driver pilot sailor fisherman hunter student scientist
boy: worker baker hero
girl: grandma granny aunty aunt
princess: fairy
tree: christmas_tree
sunflower: flowers
ball: volleyball
""")

#: The same for places.
PLACE_KIN = _table("""
park: hill hills pond lake river backyard yard orchard barn stable picnic
city: school shop store market hotel hospital station airport museum supermarket bank church
city: street_corner parade
kitchen: table stove fridge counter dinner_table
bedroom: sofa couch carpet house_inside
beach: harbour harbor port waves water seafront
underwater: sea_floor sea_bed ocean_bed bottom_of_the_sea
road: bridge parking_lot garage tunnel motorway race_track racetrack
snowy mountains: snow iceberg north_pole south_pole antarctica hilltop mountaintop slope
space: moon_surface stars_above milky_way space_station
desert: wasteland dune
forest: bushes thicket
night: nighttime night-time starlight darkness
""")

#: The plurals that rules do not make.
PLURALS = _pairs("""
mice=mouse geese=goose children=child men=man women=woman people=person oxen=ox wolves=wolf
calves=calf policemen=policeman policewomen=policewoman snowmen=snowman leaves=leaf
puppies=puppy kitties=kitty octopi=octopus ponies=pony bunnies=bunny babies=baby ladies=lady
""")

NUMBERS = {
    word: value
    for value, word in enumerate(
        (
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
        )
    )
} | {"dozen": 12, "twenty": 20, "hundred": 100, "thousand": 1000, "pair": 2, "couple": 2}

#: "some cats": how many are drawn when no number is given.
QUANTITIES = {
    "some": 3, "several": 3, "few": 3, "many": 4, "lots": 4, "lot": 4, "group": 3, "herd": 4,
    "flock": 4, "pack": 4, "swarm": 4, "school": 4, "bunch": 3, "row": 3, "line": 3, "team": 3,
    "family": 3, "crowd": 5,
    "pile": 3, "heap": 3, "basket": 3, "plate": 2, "bowl": 2, "slice": 1, "piece": 1, "glass": 1,
    "bit": 1, "kind": 1, "pair": 2, "couple": 2, "dozen": 12, "trio": 3, "number": 3, "multiple": 3,
}  # fmt: skip

DETERMINERS = _words("""
a an the this that these those my your his her its our their another each every any both all
some no
""")
DEFINITE = _words("the this that these those his her its their my your our both")

PRONOUNS = {
    "it": "it", "itself": "self", "he": "he", "him": "he", "himself": "self", "she": "she",
    "her": "she", "hers": "she", "herself": "self", "they": "they", "them": "they",
    "themselves": "self",
    "everyone": "they", "everybody": "they", "one": "it", "each other": "each other",
    "one another": "each other", "all of them": "they", "both of them": "they", "the two": "they",
    "together": "self", "the other": "other", "the other one": "other", "the others": "they",
    "the pair": "they", "the friends": "they", "the animals": "they", "the two friends": "they",
    "the other cat": "other", "everything": "they", "the couple": "they", "the trio": "they",
    "the three": "they", "the three friends": "they", "all three": "they",
}  # fmt: skip

#: Small words that say nothing a picture could show.
SMALL = _words("""
a an the and or but so very too also just really quite still now here again away already soon
once upon only even ever yet almost maybe perhaps that which who whom whose there where when
while as if because though until before after during than i we you me us what how why please
show of for with by to in on at into onto from off out up down over under about around along
through across against between among then first next finally later afterwards meanwhile
together alone home far near close back forward forwards ahead something its their his my your
our 's s t don doesn isn be not no never both each all some any such like well ok okay oh
hello yes initially eventually suddenly immediately today tonight tomorrow yesterday
everywhere nowhere somewhere inside outside it he she they them him her another other one two
this these those without within everyone either neither else instead same more most less least
much many few lots lot bit little kind sort mr mrs dr lively called named
""")

#: Verbs of keeping still that say more than a picture in one pose can show.
POSES = _words("""
sleep nap doze lie lie_down kneel wake wake_up sit_down camp rest relax pose hang lean lay
""")
