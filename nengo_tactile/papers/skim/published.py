"""SKIM on N-MNIST (Cohen et al. 2016): what the paper says, with the sections that say it.

Its Tables 1 to 4 are pictures in the text at hand; these are all numbers that its prose gives.
"""

TITLE = (
    "Cohen et al. 2016, Skimming Digits: Neuromorphic Classification of Spike-Encoded Images, "
    "Figures 4 to 7 and Tables 1 to 4"
)
#: Share of right answers by chance, ten digits (Figure 4).
CHANCE = 0.1
#: (hidden neurons, training samples) -> accuracy (section 3.1). The first, "~26.36 %", is said of
#: "10 output neurons"; the context says that hidden ones are meant.
ACCURACY = {(10, 10_000): 0.2636, (2_000, 60_000): 0.8396, (10_000, 60_000): 0.9287}
#: Training samples of Figure 4's curves, and all of them (section 3.1 and Table 1).
CURVE_SAMPLES, ALL_SAMPLES = 10_000, 60_000
#: Hidden neurons from which on a network is in Table 2, not Table 1. The prose names 2,000 and
#: 10,000 for Table 2.
TABLE_2_HIDDEN = 2_000
#: Hidden neurons of repeated trials, and their numbers (sections 3.2, 3.3 and 3.4).
TRIAL_HIDDEN = 1_000
NORMALITY_TRIALS, METHOD_TRIALS, PATTERN_TRIALS = 51, 61, 60
#: Training pattern -> p of the Kolmogorov-Smirnov test (section 3.2).
KS_P = {"gaussian": 0.9347, "exponential": 0.9991}
#: p of the Lilliefors test, for both patterns, is above it (section 3.2).
LILLIEFORS_ABOVE = 0.5
#: "5 % significance level" (section 3.3).
SIGNIFICANT = 0.05
#: p below which Area is the best with the Gaussian pattern, and Max gains by another (sections 3.3
#: and 3.4).
BEST_P = 0.01
#: p that Area differs between training patterns (section 3.4).
AREA_PATTERNS_P = 0.091
#: Training pattern -> recommended output determination (Table 4, by section 3.4's last
#: paragraphs; they name none for the flat pattern).
RECOMMENDED = {"gaussian": "area", "exponential": "max"}
