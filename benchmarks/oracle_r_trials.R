# Group-sequential trials by rpact's formulas and simulator: writes a line for each figure.
# Usage: Rscript oracle_r_trials.R seed trials replicates results.txt
suppressMessages({
  options(warn = -1)
  library(rpact)
  setLogLevel("DISABLED")
})
given <- commandArgs(trailingOnly = TRUE)
set.seed(as.integer(given[1]))
joined <- function(x) paste(format(as.numeric(x), digits = 12, trim = TRUE), collapse = ",")
sink(given[4])
for (i in seq_len(as.integer(given[2]))) {
  k <- sample(2:4, 1)
  rates <- c(sort(sample(3:9, k - 1)) / 10, 1)
  type <- sample(c("OF", "P", "asOF", "asP", "asHSD", "asKD", "WT"), 1)
  figure <- switch(type, asHSD = round(runif(1, -5, 2), 1), asKD = round(runif(1, .8, 4), 1),
                   WT = round(runif(1, 0, .5), 2), 0)
  values <- list(kMax = k, informationRates = rates, alpha = .025, beta = .1, sided = 1,
                 typeOfDesign = type)
  if (type == "WT") values$deltaWT <- figure
  if (type %in% c("asHSD", "asKD")) values$gammaA <- figure
  futility <- if (runif(1) < .5) round(sort(runif(k - 1, -.5, .8)), 2) else NULL
  if (!is.null(futility)) {
    values$futilityBounds <- futility
    values$bindingFutility <- FALSE
  }
  design <- do.call(getDesignGroupSequential, values)
  ratio <- sample(1:2, 1)
  n <- 600 * sample(1:2, 1)
  endpoint <- c("means", "rates", "survival")[i %% 3 + 1]
  if (endpoint == "means") {
    truth <- c(round(runif(1, .12, .3), 2), 0)
    p <- getPowerMeans(design, alternative = truth[1], stDev = 1, maxNumberOfSubjects = n,
                       allocationRatioPlanned = ratio, normalApproximation = TRUE)
  } else if (endpoint == "rates") {
    low <- round(runif(1, .25, .5), 2)
    truth <- c(low + round(runif(1, .06, .12), 2), low)
    p <- getPowerRates(design, pi1 = truth[1], pi2 = truth[2], maxNumberOfSubjects = n,
                       allocationRatioPlanned = ratio)
  } else {
    n <- n / 2
    truth <- c(round(runif(1, .55, .8), 2), round(n * .7))
    p <- getSimulationSurvival(
      design, hazardRatio = truth[1], directionUpper = FALSE, median2 = 12, accrualTime = c(0, 12),
      maxNumberOfSubjects = n, plannedEvents = round(rates * truth[2] + 1e-9), allocation1 = ratio,
      allocation2 = 1, dropoutRate1 = .05, dropoutRate2 = .05, dropoutTime = 12,
      maxNumberOfIterations = as.integer(given[3]), seed = i
    )
  }
  time <- if (endpoint == "survival") p$studyDuration else NULL
  cat(endpoint, joined(rates), type, figure, if (is.null(futility)) "" else joined(futility), ratio,
      n, joined(truth), joined(c(p$overallReject, p$expectedNumberOfSubjects, time)),
      joined(p$rejectPerStage), joined(p$futilityPerStage), sep = "|")
  cat("\n")
}
