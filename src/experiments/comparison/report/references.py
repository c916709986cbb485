"""The works that a report's methods cite, as BibTeX."""

from __future__ import annotations

from collections.abc import Iterable

WORKS = {
    "Agarwal et al. 2021": """@inproceedings{agarwal2021deep,
  title = {Deep Reinforcement Learning at the Edge of the Statistical Precipice},
  author = {Agarwal, Rishabh and Schwarzer, Max and Castro, Pablo Samuel and Courville, Aaron and
            Bellemare, Marc G.},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {34},
  year = {2021}
}""",
    "Benavoli et al. 2017": """@article{benavoli2017time,
  title = {Time for a Change: a Tutorial for Comparing Multiple Classifiers Through {Bayesian}
           Analysis},
  author = {Benavoli, Alessio and Corani, Giorgio and Dem{\\v{s}}ar, Janez and Zaffalon, Marco},
  journal = {Journal of Machine Learning Research},
  volume = {18},
  number = {77},
  pages = {1--36},
  year = {2017}
}""",
    "Bouthillier et al. 2021": """@inproceedings{bouthillier2021accounting,
  title = {Accounting for Variance in Machine Learning Benchmarks},
  author = {Bouthillier, Xavier and Delaunay, Pierre and Bronzi, Mirko and Trofimov, Assya and
            Nichyporuk, Brennan and Szeto, Justin and others},
  booktitle = {Proceedings of Machine Learning and Systems},
  volume = {3},
  year = {2021}
}""",
    "Bouckaert and Frank 2004": """@inproceedings{bouckaert2004evaluating,
  title = {Evaluating the Replicability of Significance Tests for Comparing Learning Algorithms},
  author = {Bouckaert, Remco R. and Frank, Eibe},
  booktitle = {Advances in Knowledge Discovery and Data Mining},
  series = {Lecture Notes in Computer Science},
  volume = {3056},
  pages = {3--12},
  year = {2004}
}""",
    "Clopper and Pearson 1934": """@article{clopper1934use,
  title = {The Use of Confidence or Fiducial Limits Illustrated in the Case of the Binomial},
  author = {Clopper, C. J. and Pearson, E. S.},
  journal = {Biometrika},
  volume = {26},
  number = {4},
  pages = {404--413},
  year = {1934}
}""",
    "Dahl et al. 2023": """@article{dahl2023benchmarking,
  title = {Benchmarking Neural Network Training Algorithms},
  author = {Dahl, George E. and Schneider, Frank and Nado, Zachary and others},
  journal = {arXiv preprint arXiv:2306.07179},
  year = {2023}
}""",
    "Dem\u0161ar 2006": """@article{demsar2006statistical,
  title = {Statistical Comparisons of Classifiers over Multiple Data Sets},
  author = {Dem{\\v{s}}ar, Janez},
  journal = {Journal of Machine Learning Research},
  volume = {7},
  pages = {1--30},
  year = {2006}
}""",
    "Dodge et al. 2019": """@inproceedings{dodge2019show,
  title = {Show Your Work: Improved Reporting of Experimental Results},
  author = {Dodge, Jesse and Gururangan, Suchin and Card, Dallas and Schwartz, Roy and
            Smith, Noah A.},
  booktitle = {Proceedings of the 2019 Conference on Empirical Methods in Natural Language
               Processing},
  pages = {2185--2194},
  year = {2019}
}""",
    "Dunnett 1955": """@article{dunnett1955multiple,
  title = {A Multiple Comparison Procedure for Comparing Several Treatments with a Control},
  author = {Dunnett, Charles W.},
  journal = {Journal of the American Statistical Association},
  volume = {50},
  number = {272},
  pages = {1096--1121},
  year = {1955}
}""",
    "Falcon et al. 2019": """@software{falcon2019lightning,
  title = {PyTorch Lightning},
  author = {Falcon, William and {The PyTorch Lightning team}},
  year = {2019},
  url = {https://github.com/Lightning-AI/pytorch-lightning}
}""",
    "Holm 1979": """@article{holm1979simple,
  title = {A Simple Sequentially Rejective Multiple Test Procedure},
  author = {Holm, Sture},
  journal = {Scandinavian Journal of Statistics},
  volume = {6},
  number = {2},
  pages = {65--70},
  year = {1979}
}""",
    "Jennison and Turnbull 1989": """@article{jennison1989interim,
  title = {Interim Analyses: the Repeated Confidence Interval Approach},
  author = {Jennison, Christopher and Turnbull, Bruce W.},
  journal = {Journal of the Royal Statistical Society: Series B},
  volume = {51},
  number = {3},
  pages = {305--361},
  year = {1989}
}""",
    "Lan and DeMets 1983": """@article{lan1983discrete,
  title = {Discrete Sequential Boundaries for Clinical Trials},
  author = {Lan, K. K. Gordon and DeMets, David L.},
  journal = {Biometrika},
  volume = {70},
  number = {3},
  pages = {659--663},
  year = {1983}
}""",
    "Nadeau and Bengio 2003": """@article{nadeau2003inference,
  title = {Inference for the Generalization Error},
  author = {Nadeau, Claude and Bengio, Yoshua},
  journal = {Machine Learning},
  volume = {52},
  number = {3},
  pages = {239--281},
  year = {2003}
}""",
    "Owen 2007": """@article{owen2007pigeonhole,
  title = {The Pigeonhole Bootstrap},
  author = {Owen, Art B.},
  journal = {The Annals of Applied Statistics},
  volume = {1},
  number = {2},
  pages = {386--411},
  year = {2007}
}""",
    "Owen 2017": """@article{owen2017randomized,
  title = {A Randomized {Halton} Algorithm in {R}},
  author = {Owen, Art B.},
  journal = {arXiv preprint arXiv:1706.02808},
  year = {2017}
}""",
    "Paszke et al. 2019": """@inproceedings{paszke2019pytorch,
  title = {{PyTorch}: An Imperative Style, High-Performance Deep Learning Library},
  author = {Paszke, Adam and Gross, Sam and Massa, Francisco and Lerer, Adam and others},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {32},
  year = {2019}
}""",
    "Pitman 1937": """@article{pitman1937significance,
  title = {Significance Tests Which May be Applied to Samples from any Populations},
  author = {Pitman, E. J. G.},
  journal = {Supplement to the Journal of the Royal Statistical Society},
  volume = {4},
  number = {1},
  pages = {119--130},
  year = {1937}
}""",
    "Satterthwaite 1946": """@article{satterthwaite1946approximate,
  title = {An Approximate Distribution of Estimates of Variance Components},
  author = {Satterthwaite, F. E.},
  journal = {Biometrics Bulletin},
  volume = {2},
  number = {6},
  pages = {110--114},
  year = {1946}
}""",
    "Schneider et al. 2019": """@inproceedings{schneider2019deepobs,
  title = {{DeepOBS}: A Deep Learning Optimizer Benchmark Suite},
  author = {Schneider, Frank and Balles, Lukas and Hennig, Philipp},
  booktitle = {International Conference on Learning Representations},
  year = {2019}
}""",
    "Schuirmann 1987": """@article{schuirmann1987comparison,
  title = {A Comparison of the Two One-Sided Tests Procedure and the Power Approach for Assessing
           the Equivalence of Average Bioavailability},
  author = {Schuirmann, Donald J.},
  journal = {Journal of Pharmacokinetics and Biopharmaceutics},
  volume = {15},
  number = {6},
  pages = {657--680},
  year = {1987}
}""",
    "Tang et al. 2020": """@inproceedings{tang2020showing,
  title = {Showing Your Work Doesn't Always Work},
  author = {Tang, Raphael and Lee, Jaejun and Xin, Ji and Liu, Xinyu and Yu, Yaoliang and
            Lin, Jimmy},
  booktitle = {Proceedings of the 58th Annual Meeting of the Association for Computational
               Linguistics},
  pages = {2766--2772},
  year = {2020}
}""",
    "Tukey 1953": """@unpublished{tukey1953problem,
  title = {The Problem of Multiple Comparisons},
  author = {Tukey, John W.},
  note = {Manuscript, Princeton University; in The Collected Works of John W. Tukey VIII, 1994},
  year = {1953}
}""",
    "Ye et al. 2013": """@article{ye2013group,
  title = {A Group Sequential {Holm} Procedure with Multiple Primary Endpoints},
  author = {Ye, Yining and Li, Ai and Liu, Lingyun and Yao, Bin},
  journal = {Statistics in Medicine},
  volume = {32},
  number = {7},
  pages = {1112--1124},
  year = {2013}
}""",
}
"""Each work by how it is cited in the text."""


def bibtex_of(text: str, works: Iterable[str] = tuple(WORKS)) -> str:
    """Return the entries of all works that a text cites.

    >>> bibtex_of("adjusted by Holm (Holm 1979)").splitlines()[0]
    '@article{holm1979simple,'
    """
    return "\n\n".join(WORKS[work] for work in works if work in text)
