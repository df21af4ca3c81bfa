from nengo_tactile.exchange.lava import from_lava as from_lava
from nengo_tactile.exchange.nir_export import Loss as Loss
from nengo_tactile.exchange.nir_export import losses as losses
from nengo_tactile.exchange.nir_export import to_nir as to_nir
from nengo_tactile.exchange.nir_in import from_nir as from_nir
from nengo_tactile.exchange.profiles import PROFILES as PROFILES
from nengo_tactile.exchange.profiles import Profile as Profile
