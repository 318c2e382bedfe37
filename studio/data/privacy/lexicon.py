"""First names and surnames, from the lists that Faker (MIT) keeps for its 70 languages and countries.

Only names in scripts with capital letters are of use here. Faker's lists are read and its generators are not used.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from studio.data.privacy.hits import words
from studio.data.privacy.name_words import NOT_NAMES

WORDS_TOO = words(
    "Add Use Dijon Wash Tierra Eres Adem Universe Alternate Melbourne Carolina Petra Apollo Maverick Messiah Reino Corona "
    "Bernardino Abbey Ace Admiral Africa Albino Ally Almond Alpha Alta Alto Amber America Among An Angel Angeles Anger "
    "April Arch Argentina Arizona Art Ash Asia Aspen Atlanta Attila Aura Austin Author Autumn Avis Babe Baby Bailey Baker "
    "Banks Baron Bas Basil Bay Bear Beat Beau Bee Belle Bell Bent Berlin Berry Beta Bill Bird Bishop Blanche Blaze Blessing "
    "Bliss Bob Bond Boss Boston Brain Branch Brandy Bristol Brook Brooklyn Brown Buck Bud Buddy Buena Burns Bush Can Canal "
    "Candy Canyon Cap Captain Carat Carry Case Cash Cedar Champ Chance Chancellor Chapel Charity Chase Chelsea Cher Cherish "
    "Cherry Chester Cheyenne China Chip Christian Cinnamon Clay Clementine Cliff Clove Cloud Coin Cole Colt Columbia "
    "Comfort COmfort Con Constant Council Coy Crew Cuba Cyprus Dahlia Daisy Dakota Dale Dallas Dane Dawn Day Days Dean "
    "Deacon Del Delta Demi Denver Destiny Dev Diamond Dia Día Disney Dock Doctor Doll Don Dot Dove Dries Drew Duke Durante "
    "Early Earnest Easter Easton Ebony Eden Edit El Elder Elle Elm Else England Era Esta Ever Fairy Faith Falcon Fame Fancy "
    "Fate Fawn February Fed Feline Fern Fife Fleet Flint Floor Florence Florida Ford Forest Forum Foster Fox France "
    "Franklin French Friday Friend Gage Gala Gale Galaxy Garden Garland Gauge Gay Gem General Genesis Geneva Georgia German "
    "Germany Ginger Glen Glory Gold Golden Goose Gorge Governor Grace Graham Grand Grant Graves Gray Green Greet Grey Grove "
    "Gun Gust Ham Happy Harbor Hardy Harm Harmony Harsh Hasta Haven Hawk Hazel Heath Heather Heaven Hence Heritage Hill "
    "Holiday Holly Holland Honest Honey Honor Hope Houston Hoy Hung Hunt Hunter Icy Ida India Infant Innocent Ion Ireland "
    "Iris Iron Island Israel Ivory Ivy Jade Jail Jamaica January Jasmine Jay Jersey Jet Jewel Job Joker Jolie Jordan "
    "Journey Joy Jubilee Judge July June Junior Jury Justice Kansas Keen Kent Kenya Kick Kind King Kit Knight Lady Lake "
    "Lance Land Lane Lark Laurel Lavender Law Lawyer Le Leaf Lean Legacy Legend Lemon Les Less Liberty Lies Lily Lincoln "
    "Line Link Lion Little Lo Loan London Long Lord Lot Lotus Love Lovely Loyal Lucky Lute Lyric Mac Mad Made Madison Magic "
    "Magnolia Main Major Mal Male Malta Man Manly March Mare Marina Marine Mark Market Marquis Marquise Marry Mars Marvel "
    "Mason Mat Math Mats May Mayo Media Melody Memory Mena Mercy Merit Merry Meta Mi Mick Midnight Milan Mile Miles Mille "
    "Mills Miner Minor Mint Miracle Misty Monday Montana Moon Moral More Morning Moses Moss Mountain Mu Music My Myrtle "
    "Nada Nail Nature Navy Neon Nevada Nick Nike Ninja Noble None Noon Norm North Nova November Oak Ocean October Odd "
    "Odessa Olive One Opal Open Orange Orchid Oregon Orion Orlando Otter Owe Oxford Pa Page Palm Pansy Papa Paris Parker "
    "Passion Pastor Patience Paw Peace Pearl Pearly Penny Pepper Per Pero Perry Petal Peer Phoenix Pierce Pike Pink Piper "
    "Pleasant Poet Poppy Porter Portia Praise Precious President Press Price Prima Prime Prince Princess Promise Prosper "
    "Prudence Queen Quest Rad Radio Rain Rainbow Ranger Raven Ray Read Reason Rebel Red Redmond Reed Reef Regal Rein Rice "
    "Rich Ridge Rio Rise River Roar Rob Robin Rock Rocky Rod Roll Roman Rome Root Rose Rosemary Rowan Royal Ruby Rule Rush "
    "Rust Sad Safari Saffron Sage Said Sail Saint Salami Sand Sandy Santiago Saturday Savanna Savannah Scarlet Scout Sea "
    "Season Segundo September Sera Serenity Server Seven Shade Shadow Shepherd Shine Si Sierra Silver Sincere Sing Sister "
    "Skip Sky Skye Sol Sole Soldier Son Song Sophomore Spring Stan Star Steel Sterling Steward Stone Storm Story Stuart "
    "Sugar Summer Sun Sunday Sunny Sunshine Sydney Tan Tea Tennessee Terra Texas The Ties Tiger Till Tiny Tone Toy Trace "
    "Treasure Trinity Triumph True Trust Tuesday Tulip Uganda Una Union Unique Unknown Uno Urban Urbano Us Valentine Valid "
    "Valor Valves Van Velvet Venice Ver Veritas Verona Vice Victor Victory Vienna Ville Viola Violet Virgin Virginia Vida "
    "Von Wage Walker Ward Washington Watt Wave Wells West Wheeler Whit White Will Wing Winner Winter Wisdom Wish Wit Wolf "
    "Wonder Wood Worth Wren Yale Yoga York You Young Zen Zion Zona Ab Ah Al Ala Ale Ama Ana Ante Ar As Ay Ba Bo Ca Cas Che "
    "Chi Da De Di Do Dos Ed En Es Esa Eta Fe Ha Hu I In Is Ja Je Jo Jure Ka La Lu Ma Mai Me Mo Mon Na Ne Ni No Nu Od On Or "
    "Os Osa Par Po Que Ra Re Rey Sa San Sam Se Sen Sha Shah So Su Ta Tal Te Ten Ti To Ton Tu Um Un Va Ve Vi Vo Vu We Wi Ya "
    "Yo Yu Za Zu Zur Allah Jesus Christ Buddha Google Apple Amazon Microsoft Windows Linux Java Swift Kotlin Alexa Siri "
    "Cortana Claude Tesla Abril Agosto Domingo Enero Junio Julio Lunes Martes Aurore Été Marché Place Rue Sainte Pays Bonne "
    "Doña Dolores Remedios Consuelo Pilar Milagros Socorro Mar Luz Paz Cielo Estrella Rosa Blanca Linda Clara Santo Santa "
    "Rosario Cruz Ernst Lieb Bach Berg Stern Engel Herz Reich Frei Klein Lang Kurz Sommer Herbst Frank Franken Sieg Held "
    "Treu Gut"
)
"""First names that are words, months, places or firms as well. Such a name counts only before a known surname."""


@dataclass(frozen=True)
class Lexicon:
    """Names as they are written, each with a capital letter first."""

    first: frozenset[str]
    last: frozenset[str]
    lone: frozenset[str]
    """First names that are no word of a language as well."""
    written: frozenset[str]
    """All first names, and those that stand alone in capitals too: a text without any of them is not looked through."""


@cache
def lexicon() -> Lexicon:
    """The names; the first call takes about half a second."""
    import importlib  # noqa: PLC0415 - used here alone
    import pkgutil  # noqa: PLC0415

    import faker.providers.person as places  # noqa: PLC0415 - 170 ms

    first: set[str] = set()
    last: set[str] = set()
    for module in pkgutil.iter_modules(places.__path__):
        if not module.ispkg:
            continue
        provider = importlib.import_module(f"{places.__name__}.{module.name}").Provider
        for lists, names in ((("first_names", "first_names_male", "first_names_female"), first), (("last_names",), last)):
            for one in lists:
                names.update(written(getattr(provider, one, ())))
    lone = frozenset(name for name in first if len(name) > 2) - WORDS_TOO - NOT_NAMES
    capitals = {name.upper() for name in lone if len(name) > 3}
    return Lexicon(frozenset(first), frozenset(last), lone, frozenset(first | capitals))


def written(values: object) -> Iterable[str]:
    """The single words of a list of names that begin with a capital; some of Faker's lists are made when asked and left out."""
    if isinstance(values, (tuple, list, set, dict)):
        for value in values:
            for word in value.split():
                if len(word) > 1 and word[0].isupper():
                    yield word
