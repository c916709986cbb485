"""Functions of two variables on which optimizers are watched; their grids and minima.

Shape letters: X values of the first variable, Y of the second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Formula = Callable[[Tensor, Tensor], Tensor]


def axis_values(ranges: Sequence[Sequence[float]], number: int) -> list[Tensor]:
    """Return `number` equally distant values for each [low, high], in float64."""
    return [torch.linspace(low, high, number, dtype=torch.float64) for low, high in ranges]


def plane_points(x: Tensor, y: Tensor) -> Tensor:
    """Return all points of a grid, row by row: (X,), (Y,) -> (Y X, 2)."""
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([columns.flatten(), rows.flatten()], dim=1)


def minimum_of(loss: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    """Return the argmin near `start`, (N,), by L-BFGS (torch's, with a line search).

    The loss takes theta, (N,) -> (), and is differentiable.
    """
    theta = start.clone()
    optimizer = torch.optim.LBFGS(
        [theta],
        max_iter=200,
        tolerance_grad=1e-12,
        tolerance_change=1e-15,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        point = theta.detach().clone().requires_grad_()
        value = loss(point)
        theta.grad = torch.autograd.grad(value, point)[0]
        return value.detach()

    optimizer.step(closure)
    return theta


@dataclass(frozen=True)
class Surface:
    """A function of theta = (x, y), and the part of the plane that is drawn.

    Attributes:
        title: its formula.
        value: f(theta), (2,) -> (), differentiable.
        start: where optimizers begin.
        minima: the global ones, f being `lowest` there.
        chunk: how many points of a grid are computed at once.
        axes: what x and y are.
    """

    name: str
    title: str
    value: Callable[[Tensor], Tensor]
    start: tuple[float, float]
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    minima: tuple[tuple[float, float], ...]
    lowest: float = 0.0
    chunk: int = 8192
    axes: tuple[str, str] = ("x", "y")

    def gradient(self, theta: Tensor) -> Tensor:
        """Return the gradient at theta, (2,), by autograd."""
        point = theta.detach().clone().requires_grad_()
        return torch.autograd.grad(self.value(point), point)[0]

    def over(self, x: Tensor, y: Tensor) -> Tensor:
        """Return f over a grid: X values of x, Y values of y -> (Y, X)."""
        with torch.no_grad():
            values = torch.func.vmap(self.value, chunk_size=self.chunk)(plane_points(x, y))
        return values.view(len(y), len(x))


def of_coordinates(formula: Formula) -> Callable[[Tensor], Tensor]:
    """Return a formula of x and y as a function of theta = (x, y)."""
    return lambda theta: formula(theta[0], theta[1])


def beale(x: Tensor, y: Tensor) -> Tensor:
    """(1.5 - x + x y)^2 + (2.25 - x + x y^2)^2 + (2.625 - x + x y^3)^2.

    Beale 1958, "On an iterative method for finding a local minimum of a function of more than one
    variable"; problem 5 of Moré, Garbow, Hillstrom 1981, "Testing unconstrained optimization
    software": f(3, 0.5) = 0 is the minimum.
    """
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def rosenbrock(x: Tensor, y: Tensor) -> Tensor:
    """100 (y - x^2)^2 + (1 - x)^2, a bent valley.

    Rosenbrock 1960, "An automatic method for finding the greatest or least value of a function",
    who also begins at (-1.2, 1): f(1, 1) = 0 is the minimum.
    """
    return 100 * (y - x**2) ** 2 + (1 - x) ** 2


def saddle(x: Tensor, y: Tensor) -> Tensor:
    """x^2 / 2 + y^4 / 4 - y^2 / 2: near (0, 0) the saddle (x^2 - y^2) / 2, between two minima.

    Nesterov 2004, "Introductory lectures on convex optimization", section 1.2.3: gradient descent
    from a point with y = 0 ends at (0, 0), which is no minimum; f(0, 1) = f(0, -1) = -1/4 is.
    """
    return x**2 / 2 + y**4 / 4 - y**2 / 2


def ravine(x: Tensor, y: Tensor) -> Tensor:
    """(x^2 + 100 y^2) / 2, an elongated quadratic with the condition number 100.

    Boyd & Vandenberghe 2004, "Convex optimization", section 9.3.2 (there gamma = 100 is that of any
    number); f(0, 0) = 0 is the minimum, and gradient descent diverges from lr = 2/100 on. Its best
    rate, 2/101, takes 1 - 2/101 of the distance at each step; heavy-ball momentum 1 - 2/11
    (Polyak 1964, "Some methods of speeding up the convergence of iteration methods").
    """
    return (x**2 + 100 * y**2) / 2


def six_hump_camel(x: Tensor, y: Tensor) -> Tensor:
    """(4 - 2.1 x^2 + x^4 / 3) x^2 + x y + (4 y^2 - 4) y^2: six minima, of which two are global.

    Dixon & Szegö 1978, "The global optimization problem: an introduction": the minimum is
    -1.0316285, at (0.0898, -0.7127) and (-0.0898, 0.7127).
    """
    return (4 - 2.1 * x**2 + x**4 / 3) * x**2 + x * y + (4 * y**2 - 4) * y**2


SURFACES: Sequence[Surface] = (
    Surface(
        "beale",
        "(1.5 − x + xy)² + (2.25 − x + xy²)² + (2.625 − x + xy³)²",
        of_coordinates(beale),
        start=(1.0, 1.5),
        x_range=(-0.5, 4.2),
        y_range=(-1.2, 2.0),
        minima=((3.0, 0.5),),
    ),
    Surface(
        "rosenbrock",
        "100 (y − x²)² + (1 − x)²",
        of_coordinates(rosenbrock),
        start=(-1.2, 1.0),
        x_range=(-1.8, 1.8),
        y_range=(-0.8, 2.2),
        minima=((1.0, 1.0),),
    ),
    Surface(
        "saddle",
        "x²/2 + y⁴/4 − y²/2",
        of_coordinates(saddle),
        start=(-1.4, 0.001),
        x_range=(-1.7, 1.2),
        y_range=(-1.5, 1.5),
        minima=((0.0, 1.0), (0.0, -1.0)),
        lowest=-0.25,
    ),
    Surface(
        "ravine",
        "(x² + 100 y²) / 2",
        of_coordinates(ravine),
        start=(-9.0, 1.5),
        x_range=(-10.5, 4.5),
        y_range=(-3.2, 3.2),
        minima=((0.0, 0.0),),
    ),
    Surface(
        "six_hump_camel",
        "(4 − 2.1x² + x⁴/3) x² + xy + (4y² − 4) y²",
        of_coordinates(six_hump_camel),
        start=(1.2, 0.95),
        x_range=(-2.0, 2.0),
        y_range=(-1.15, 1.15),
        minima=((0.0898420131, -0.7126564030), (-0.0898420131, 0.7126564030)),
        lowest=-1.0316284535,
    ),
)
