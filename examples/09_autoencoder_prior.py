"""Train the prior of an autoencoder with samples of an Ising machine; needs PyTorch (rapid-ising[torch]).

The encoder gives each image a code of 8 spins, the decoder restores the image from it, and a Boltzmann
machine learns which codes there are. Codes that a machine draws from it are then decoded to new images.
"""

from __future__ import annotations

import torch

import rapid_ising as ri
from rapid_ising.torch import NegativePhase

torch.manual_seed(0)
data = ri.datasets.bars_and_stripes(4)
images = torch.tensor(data.images, dtype=torch.float32)
encoder = torch.nn.Sequential(torch.nn.Linear(16, 64), torch.nn.Tanh(), torch.nn.Linear(64, 8))
decoder = torch.nn.Sequential(torch.nn.Linear(8, 64), torch.nn.Tanh(), torch.nn.Linear(64, 16))
machine = ri.load_backend("gibbs", burn_in=20)  # or a name, or any dimod.Sampler
prior = NegativePhase(ri.RBM(8, 32, seed=0), backend=machine, num_reads=100, seed=0)


def code(rows: torch.Tensor) -> torch.Tensor:
    """Spins of the encoder's signs; backwards they count as the soft values that they are made of."""
    soft = torch.tanh(encoder(rows))
    return soft + (torch.where(soft < 0, -1.0, 1.0) - soft).detach()


networks = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.01)
energies = torch.optim.Adam(prior.parameters(), lr=0.02)
for _ in range(250):
    spins = code(images)
    wrong = torch.nn.functional.soft_margin_loss(decoder(spins), images)
    loss = wrong + 0.02 * prior(spins)
    networks.zero_grad()
    energies.zero_grad()
    loss.backward()
    networks.step()
    energies.step()

with torch.no_grad():
    restored = (decoder(code(images)).sign() == images).float().mean()
    drawn = decoder(prior.sample(1000)).sign()
    chance = decoder(torch.randint(0, 2, (1000, 8)) * 2.0 - 1).sign()
valid = {tuple(row) for row in images.tolist()}
shares = [sum(tuple(row) in valid for row in rows.tolist()) / 1000 for rows in (drawn, chance)]
print(f"pixels restored from codes of 8 spins: {restored:.3f}")
print(f"valid images from codes of the prior: {shares[0]:.2f}, from codes at random: {shares[1]:.2f}")
print(f"nine of ten images from the prior are valid: {shares[0] > 0.9}")
