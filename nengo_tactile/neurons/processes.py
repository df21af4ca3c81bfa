"""Nengo processes whose operators have a type of their own, for which NengoDL has a builder."""

from nengo.builder import Builder
from nengo.builder.processes import build_process


def register(process_type, operator_type):
    """Build processes of a type as Nengo builds any, but into operators of another type.

    NengoDL runs the operators it has no builder for as Python functions, sample by sample.

    Parameters
    ----------
    process_type : type
        A `nengo.base.Process`.
    operator_type : type
        A `nengo.builder.processes.SimProcess`.
    """

    def build(model, process, sig_in=None, sig_out=None, mode="set"):
        sig_out = build_process(model, process, sig_in, sig_out, mode=mode)
        built = model.operators.pop()
        state = {name: built.state[name] for name in built.state}
        model.add_op(
            operator_type(process, sig_in, sig_out, model.time, mode, state=state, tag=str(process))
        )
        return sig_out

    Builder.register(process_type)(build)
