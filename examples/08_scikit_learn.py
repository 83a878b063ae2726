"""A Boltzmann machine among scikit-learn's estimators: features, model selection, samples, missing pixels.

Needs scikit-learn: pip install 'rapid-ising[sklearn]'.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline

from rapid_ising.sklearn import BoltzmannMachine, RapidRBM

digits = load_digits()
X = (digits.data > 8).astype(int)  # 8 x 8 pixels of 0 and 1; -1 and +1 would do as well
X_train, X_test, y_train, y_test = train_test_split(X, digits.target, test_size=0.25, random_state=0)

# Features for a classifier: the probability of each hidden unit.
classifier = RidgeClassifier()
features = make_pipeline(RapidRBM(n_hidden=200, epochs=30, random_state=0), classifier)
for name, model in {"pixels": classifier, "features": features}.items():
    print(f"{model.fit(X_train, y_train).score(X_test, y_test):.3f} of the digits read right from {name}")

# The number of hidden units by cross-validation; the score is the pseudo-log-likelihood in nats.
search = GridSearchCV(RapidRBM(epochs=20, random_state=0), {"n_hidden": [10, 100]}, cv=2)
rbm = search.fit(X_train).best_estimator_
print(f"{search.best_params_['n_hidden']} hidden units: {rbm.score(X_test):.2f} nats a held-out digit")

# Samples, and digits restored from their upper half, in the values that came in.
print("samples hold", np.unique(rbm.sample(100, random_state=1)))
known = np.arange(64) < 32
restored = rbm.reconstruct(X_test, known)
print(f"{(restored != X_test)[:, ~known].mean():.3f} of the pixels of the lower halves restored wrong")
for rows in zip(X_test[0].reshape(8, 8), restored[0].reshape(8, 8), strict=True):
    print("   ".join("".join("░█"[pixel] * 2 for pixel in row) for row in rows))

# Another machine: trained with its samples, and asked for more.
small = X_train[:, 18:54:4]  # nine pixels, which can be enumerated
machine = BoltzmannMachine(backend="exact", epochs=30, likelihood="exact", random_state=0).fit(small)
print(f"{machine.score(small):.2f} nats a row of nine pixels, {-9 * np.log(2):.2f} where all are as likely")
