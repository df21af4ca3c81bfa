from nengo_tactile import analysis as analysis
from nengo_tactile import ann as ann
from nengo_tactile import commands as commands
from nengo_tactile import conversion as conversion
from nengo_tactile import datasets as datasets
from nengo_tactile import engines as engines
from nengo_tactile import events as events
from nengo_tactile import networks as networks
from nengo_tactile import report as report
from nengo_tactile import skim as skim
from nengo_tactile import slayer as slayer
from nengo_tactile import stack as stack
from nengo_tactile.conversion.check import check as check
from nengo_tactile.conversion.convert import convert as convert
from nengo_tactile.conversion.diagnosis import diagnose as diagnose
from nengo_tactile.conversion.network import SpikingNetwork as SpikingNetwork
from nengo_tactile.conversion.neurons import IF as IF
from nengo_tactile.conversion.neurons import LIF as LIF
from nengo_tactile.conversion.neurons import SigmaDelta as SigmaDelta
from nengo_tactile.engines import Recording as Recording
from nengo_tactile.engines import run as run
from nengo_tactile.experiments.sweeps import sweep as sweep
from nengo_tactile.networks.protocol import Network as Network
from nengo_tactile.saved import load as load
from nengo_tactile.skim import SkimNetwork as SkimNetwork
from nengo_tactile.slayer import SlayerNetwork as SlayerNetwork

__version__: str
