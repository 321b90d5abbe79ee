"""Names of places for the grammar: real ones from general knowledge, swapped ones and made-up ones."""

# ruff: noqa: E501 - wordings are kept in one piece

from __future__ import annotations

import csv
from pathlib import Path
from random import Random

STATES: dict[str, tuple[str, str]] = {
    name: (capital, code)
    for name, capital, code in (
        line.split(",")
        for line in """alabama,montgomery,al
alaska,juneau,ak
arizona,phoenix,az
arkansas,little rock,ar
california,sacramento,ca
colorado,denver,co
connecticut,hartford,ct
delaware,dover,de
florida,tallahassee,fl
georgia,atlanta,ga
hawaii,honolulu,hi
idaho,boise,id
illinois,springfield,il
indiana,indianapolis,in
iowa,des moines,ia
kansas,topeka,ks
kentucky,frankfort,ky
louisiana,baton rouge,la
maine,augusta,me
maryland,annapolis,md
massachusetts,boston,ma
michigan,lansing,mi
minnesota,st. paul,mn
mississippi,jackson,ms
missouri,jefferson city,mo
montana,helena,mt
nebraska,lincoln,ne
nevada,carson city,nv
new hampshire,concord,nh
new jersey,trenton,nj
new mexico,santa fe,nm
new york,albany,ny
north carolina,raleigh,nc
north dakota,bismarck,nd
ohio,columbus,oh
oklahoma,oklahoma city,ok
oregon,salem,or
pennsylvania,harrisburg,pa
rhode island,providence,ri
south carolina,columbia,sc
south dakota,pierre,sd
tennessee,nashville,tn
texas,austin,tx
utah,salt lake city,ut
vermont,montpelier,vt
virginia,richmond,va
washington,olympia,wa
west virginia,charleston,wv
wisconsin,madison,wi
wyoming,cheyenne,wy
district of columbia,washington,dc""".splitlines()
    )
}

CITIES = """new york,los angeles,chicago,houston,phoenix,philadelphia,san antonio,san diego,dallas,san jose,austin,
jacksonville,fort worth,columbus,charlotte,san francisco,indianapolis,seattle,denver,boston,el paso,detroit,nashville,
portland,memphis,oklahoma city,las vegas,louisville,baltimore,milwaukee,albuquerque,tucson,fresno,mesa,sacramento,
atlanta,kansas city,colorado springs,miami,raleigh,omaha,long beach,virginia beach,oakland,minneapolis,tulsa,arlington,
tampa,new orleans,wichita,cleveland,bakersfield,aurora,anaheim,honolulu,santa ana,riverside,corpus christi,lexington,
stockton,st. louis,saint paul,henderson,pittsburgh,cincinnati,anchorage,greensboro,plano,newark,lincoln,orlando,irvine,
toledo,jersey city,chula vista,durham,fort wayne,st. petersburg,laredo,buffalo,madison,lubbock,chandler,scottsdale,
glendale,reno,norfolk,winston salem,irving,chesapeake,gilbert,hialeah,garland,fremont,richmond,boise,baton rouge,
des moines,spokane,tacoma,san bernardino,modesto,fontana,moreno valley,oxnard,fayetteville,huntington beach,yonkers,
montgomery,amarillo,little rock,akron,columbus,augusta,grand rapids,salt lake city,huntsville,overland park,mobile,
knoxville,worcester,brownsville,newport news,providence,santa clarita,garden grove,oceanside,chattanooga,
fort lauderdale,rancho cucamonga,santa rosa,tempe,ontario,vancouver,cape coral,sioux falls,springfield,peoria,pembroke pines,
elk grove,salem,corona,eugene,fort collins,cary,lancaster,hayward,palmdale,salinas,alexandria,lakewood,pasadena,
sunnyvale,macon,pomona,hollywood,escondido,clarksville,rockford,torrance,joliet,paterson,bridgeport,naperville,
syracuse,savannah,mesquite,dayton,orange,fullerton,mcallen,hampton,warren,bellevue,west valley city,columbia,olathe,
sterling heights,new haven,waco,cedar rapids,charleston,visalia,thousand oaks,elizabeth,gainesville,stamford,roseville,
carrollton,coral springs,kent,concord,surprise,lafayette,topeka,simi valley,evansville,santa clara,hartford,abilene,
victorville,vallejo,athens,ann arbor,allentown,norman,berkeley,beaumont,fargo,independence,columbia,murfreesboro,
odessa,midland,provo,el monte,downey,costa mesa,inglewood,waterbury,manchester,lowell,pueblo,erie,billings,green bay,
flint,gary,dover,juneau,bismarck,pierre,cheyenne,helena,montpelier,trenton,annapolis,frankfort,albany,rochester,utica,
duluth,davenport,south bend,hammond,canton,youngstown,parma,lorain,hamilton,springfield,decatur,livonia,dearborn,
lansing,kalamazoo,saginaw,muskegon,racine,kenosha,appleton,oshkosh,sioux city,waterloo,dubuque,lawrence,salina,rapid city,
aberdeen,casper,laramie,missoula,great falls,bozeman,butte,pocatello,nampa,ogden,santa fe,las cruces,roswell,flagstaff,
yuma,carson city,sparks,everett,yakima,olympia,medford,bend,corvallis,nashua,burlington,rutland,bangor,lewiston,
cambridge,quincy,fall river,new bedford,brockton,pawtucket,cranston,warwick,danbury,norwalk,camden,atlantic city,
scranton,reading,bethlehem,harrisburg,wilmington,rockville,bethesda,roanoke,lynchburg,portsmouth,wheeling,huntington,
morgantown,asheville,high point,greenville,spartanburg,myrtle beach,pensacola,tallahassee,sarasota,key west,daytona beach,
birmingham,tuscaloosa,dothan,biloxi,gulfport,jackson,hattiesburg,meridian,shreveport,monroe,alexandria,lake charles,
fort smith,jonesboro,hot springs,bowling green,owensboro,paducah,johnson city,kingsport,lawton,enid,stillwater,
galveston,tyler,longview,wichita falls,san angelo,del rio,pine bluff,cicero,evanston,elgin,skokie,fairbanks,sitka,hilo,
santa barbara,santa monica,santa cruz,palo alto,redding,chico,davis,burbank,compton,norwalk,west covina,daly city,
san mateo,walnut creek,white plains,new rochelle,schenectady,niagara falls,hoboken,princeton,gettysburg,washington,
jefferson city,saint joseph,branson,grand island,kearney,minot,grand forks,mitchell,moscow,coeur d alene,bloomington,
muncie,terre haute,anderson,champaign,carbondale,la crosse,eau claire,wausau,mankato,st. cloud,ames,iowa city"""

RIVERS = """mississippi,missouri,rio grande,colorado,arkansas,columbia,red,snake,ohio,brazos,green,pecos,canadian,
tennessee,yellowstone,platte,north platte,south platte,cumberland,james,gila,cimarron,milk,white,powder,sacramento,
san joaquin,hudson,delaware,potomac,susquehanna,connecticut,savannah,roanoke,cape fear,pee dee,santee,altamaha,
chattahoochee,apalachicola,alabama,tombigbee,mobile,pearl,sabine,trinity,nueces,guadalupe,neches,neosho,osage,
republican,smoky hill,kansas,niobrara,cheyenne,big horn,little missouri,wabash,illinois,rock,wisconsin,minnesota,
st. croix,des moines,iowa,cedar,kentucky,licking,kanawha,allegheny,monongahela,scioto,great miami,clinch,duck,
french broad,ouachita,washita,yazoo,big black,dolores,san juan,little colorado,verde,salt,humboldt,klamath,rogue,
willamette,deschutes,john day,yakima,spokane,pend oreille,clark fork,kootenai,flathead,salmon,clearwater,owyhee,
yukon,kuskokwim,tanana,porcupine,koyukuk,penobscot,kennebec,androscoggin,merrimack,housatonic,mohawk,genesee,
suwannee,st. johns,ocmulgee,oconee,flint,saluda,new,bear,sevier,green,gunnison,arkansas,big sioux,james,souris"""

MOUNTAINS = """mckinley,denali,whitney,rainier,elbert,massive,harvard,blanca,st. elias,foraker,bona,blackburn,hood,
shasta,st. helens,adams,baker,mitchell,washington,marcy,katahdin,mansfield,rushmore,timpanogos,wheeler,kings,
borah,gannett,grand teton,granite,boundary,humphreys,baldy,cloud,pikes,pikes peak,longs peak,wilson peak,grays peak,longs,evans,antero,princeton,yale,la plata,
uncompahgre,crestone,lincoln,grays,torreys,castle,quandary,shavano,princeton,bross,democrat,sneffels,capitol,
maroon,wrangell,sanford,hunter,hubbard,bear,logan,alverstone,fairweather,browne,south buttress,kennedy,vancouver,
churchill,williamson,white mountain,north palisade,split,sill,russell,tyndall,muir,langley,olympus,stuart,bachelor,
jefferson,greylock,lafayette,monadnock,clingmans dome,rogers,spruce knob,brasstown bald,cheaha,magazine,sunflower"""

LAKES = """superior,michigan,huron,erie,ontario,great salt,okeechobee,champlain,tahoe,pontchartrain,red,mead,powell,
iliamna,becharof,teshekpuk,naknek,salton sea,st. clair,winnebago,mille lacs,flathead,winnipesaukee,moosehead,pyramid,
lake of the woods,leech,rainy,utah,bear,yellowstone,crater,pend oreille,washington,chelan,cayuga,seneca,oneida,george,
placid,marion,moultrie,lanier,norman,cumberland,barkley,texoma,travis,fort peck,sakakawea,oahe,devils,walker,klamath,
upper klamath,goose,clear,houghton,torch,higgins,sebago,quabbin,candlewood,george,apopka,seminole,martin,eufaula"""

ROADS = """10,40,70,80,90,95,94,84,81,77,75,65,64,55,44,35,30,29,25,24,20,15,5,8,66,50,101,1,route 66,lincoln highway,
pacific coast highway,i 10,i 90,i 95,us 1,us 20,us 50,us 101"""

POINTS_HIGH = """mount mckinley,mount whitney,mount elbert,mount rainier,gannett peak,mauna kea,kings peak,wheeler peak,
boundary peak,granite peak,borah peak,humphreys peak,mount hood,guadalupe peak,harney peak,black mesa,panorama point,
mount mitchell,clingmans dome,mount washington,mount rogers,mount marcy,mount katahdin,spruce knob,mount mansfield,
black mountain,sassafras mountain,brasstown bald,mount greylock,cheaha mountain,mount davis,magazine mountain,
mount frissell,eagle mountain,mount curwood,timms hill,charles mound,high point,driskill mountain,campbell hill,
woodall mountain,jerimoth hill,hoosier hill,white butte,taum sauk mountain,ebright road,backbone mountain,britton hill"""

POINTS_LOW = """gulf of mexico,pacific ocean,atlantic ocean,death valley,lake champlain,lake erie,lake michigan,
lake superior,ohio river,colorado river,snake river,red river,mississippi river,new orleans,delaware river,
potomac river,arikaree river,verdigris river,beaver dam wash,little river,st. francis river,missouri river,
red bluff reservoir,belle fourche river,kootenai river,big stone lake,long island sound,ouachita river"""

_ONSETS = [
    "b",
    "br",
    "c",
    "ch",
    "cl",
    "d",
    "dr",
    "f",
    "fl",
    "g",
    "gr",
    "h",
    "j",
    "k",
    "kl",
    "l",
    "m",
    "n",
    "p",
    "pr",
    "qu",
    "r",
    "s",
    "sh",
    "st",
    "t",
    "tr",
    "v",
    "w",
    "y",
    "z",
    "wh",
    "th",
]
_VOWELS = ["a", "e", "i", "o", "u", "ai", "ea", "ee", "oo", "ou", "ay", "ie"]
_CODAS = ["", "", "", "n", "r", "l", "s", "t", "m", "nd", "rt", "ck", "x", "ll", "ston", "ville", "ford", "ton", "burg"]


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.replace("\n", "").split(",") if name.strip()]


SHARED = """mississippi,missouri,ohio,colorado,arkansas,delaware,connecticut,tennessee,alabama,kansas,iowa,illinois,
wisconsin,minnesota,kentucky,oregon,utah,idaho,virginia,michigan,hawaii,maine,washington,new york,north dakota"""
FACTS = Path(__file__).resolve().parents[2] / "apps" / "demo" / "facts"


COMMON = set(_names("city,river,lake,mount,mountain,peak,point,ocean,gulf,hill,highway,north,south,east,west,new"))


def _facts(kind: str) -> list[str]:
    """The names of the demo's facts, where they are at hand."""
    path = FACTS / f"{kind}.csv"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return sorted({row[f"{kind}_name"].strip().lower() for row in csv.DictReader(file)})


def invented(rng: Random) -> str:
    """A made-up word that could be a name."""
    parts = [rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(rng.randint(1, 3))]
    word = "".join(parts) + rng.choice(_CODAS)
    shape = rng.random()
    if shape < 0.2:
        first = [
            "new",
            "north",
            "south",
            "east",
            "west",
            "fort",
            "port",
            "lake",
            "san",
            "santa",
            "st.",
            "mount",
            "grand",
            "little",
            "big",
            "el",
            "la",
            "las",
            "los",
        ]
        return f"{rng.choice(first)} {word}"
    if shape < 0.3:
        return f"{word} {rng.choice(['city', 'springs', 'falls', 'park', 'beach', 'hills', 'heights', 'valley', 'creek', 'rapids', 'bay'])}"
    return word


class Names:
    """Samples names of each kind, seeded by the caller's generator."""

    def __init__(self) -> None:
        self.states = list(STATES)
        self.lists = {
            "city": _names(CITIES),
            "river": _names(RIVERS),
            "mountain": _names(MOUNTAINS),
            "lake": _names(LAKES),
            "road": _names(ROADS),
            "high": _names(POINTS_HIGH),
            "low": _names(POINTS_LOW),
        }
        for kind in ("city", "river", "mountain", "lake", "road"):
            self.lists[kind] += [name for name in _facts(kind) if name not in self.lists[kind]]
        self.shared = _names(SHARED)
        self.capitals = [capital for capital, _ in STATES.values()]

    def state(self, rng: Random) -> str:
        """A state (closed list, so that the model knows them all)."""
        return rng.choice(self.states)

    def other(self, rng: Random, kind: str) -> str:
        """A name of another kind: mostly real, sometimes one of another list, sometimes made up."""
        draw = rng.random()
        if kind == "river" and draw < 0.22:
            return rng.choice(self.shared)
        if draw < 0.70 or kind in ("high", "low", "road"):
            return rng.choice(self.lists[kind])
        if draw < 0.78:
            return rng.choice(self.lists[rng.choice(("city", "river", "mountain", "lake"))])
        return invented(rng)

    def capital(self, rng: Random) -> str:
        """A capital city."""
        return rng.choice(self.capitals)
