"""Gibbs sweeps and updates of an RBM in scikit-learn, ``rbms`` and PyTorch, each in its best way.

scikit-learn: float32 all through, which ``fit`` keeps and ``partial_fit`` does not. rbms: its own functions
on tensors, without the file that its ``train`` writes at every update. PyTorch: ``torch_rbm``. Their spins
are 0 and 1, which is the same work.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.side_by_side import Clock, Work, peer, seconds


def sweeps(visible: int, hidden: int, chains: int, steps: int) -> dict[str, Work | None]:
    """Return so many Gibbs sweeps of each peer."""
    start = np.random.default_rng(0).integers(2, size=(chains, visible)).astype(np.float32)

    def scikit_learn() -> Work:
        from sklearn.neural_network import BernoulliRBM

        model = BernoulliRBM(hidden, n_iter=1, batch_size=chains, random_state=0).fit(start)

        def work() -> None:
            states = start
            for _ in range(steps):
                states = model.gibbs(states)

        return work

    def rbms() -> Work:
        import torch

        model = _rbms_model(visible, hidden)
        state = model.init_chains(chains, start_v=torch.from_numpy(start))
        return lambda: model.sample_state(chains=state, n_steps=steps)

    def pytorch() -> Work:
        import torch

        from benchmarks.torch_rbm import PlainRBM

        model, state = PlainRBM(visible, hidden, 1), torch.from_numpy(start)
        return lambda: model.sweeps(state, steps)

    return {
        "scikit-learn": peer("sklearn", scikit_learn),
        "rbms": peer("rbms", rbms),
        "PyTorch": peer("torch", pytorch),
    }


def epochs(
    data: npt.NDArray[Any], hidden: int, size: int, steps: int, persistent: bool, clock: Clock
) -> dict[str, Work | None]:
    """Return an epoch of CD or PCD over data 0 and 1, of each peer that knows it; it times itself."""
    rows = data.astype(np.float32)

    def scikit_learn() -> Work:
        from sklearn.neural_network import BernoulliRBM

        model = BernoulliRBM(hidden, learning_rate=0.01, n_iter=1, batch_size=size, random_state=0)
        return lambda: seconds(lambda: model.fit(rows), clock)

    def rbms() -> Work:
        import torch
        from rbms.training.pcd import fit_batch_pcd

        tensor, weights = torch.from_numpy(rows), torch.ones(len(rows))
        model = _rbms_model(rows.shape[1], hidden)
        model.init_grad()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, maximize=True)
        chains = model.init_chains(size)

        def epoch() -> None:
            nonlocal chains
            for taken in torch.randperm(len(tensor)).split(size):
                batch = tensor[taken], weights[taken]
                if not persistent:
                    chains = model.init_chains(len(taken), weights=batch[1], start_v=batch[0])
                optimizer.zero_grad(set_to_none=False)
                chains, _ = fit_batch_pcd(batch, chains, model, steps, beta=1.0, centered=False)
                optimizer.step()

        return lambda: seconds(epoch, clock)

    def pytorch() -> Work:
        import torch

        from benchmarks.torch_rbm import PlainRBM

        model, tensor = PlainRBM(rows.shape[1], hidden, size), torch.from_numpy(rows)
        return lambda: seconds(lambda: model.epoch(tensor, size, steps, persistent), clock)

    found = {"rbms": peer("rbms", rbms), "PyTorch": peer("torch", pytorch)}
    # scikit-learn knows one step of persistent chains and nothing else.
    return found if steps > 1 or not persistent else {"scikit-learn": peer("sklearn", scikit_learn)} | found


def _rbms_model(visible: int, hidden: int) -> Any:
    import torch
    from rbms.bernoulli_bernoulli.classes import BBRBM

    torch.manual_seed(0)
    return BBRBM(0.01 * torch.randn(visible, hidden), torch.zeros(visible), torch.zeros(hidden))
