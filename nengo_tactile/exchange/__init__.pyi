from nengo_tactile.exchange.nir_in import from_nir as from_nir
from nengo_tactile.exchange.profiles import PROFILES as PROFILES
from nengo_tactile.exchange.profiles import Profile as Profile
