# Peers of simulated trials in R, one thread: prints "name units seconds figure" for a section.
# Usage: Rscript trials.R SECTION [DATA.csv]; times are CPU seconds, the best of three.
options(warn = -1)
asked <- commandArgs(trailingOnly = TRUE)
timed <- function(name, units, expression, figure = function(x) NA, times = 3) {
  asked <- substitute(expression)
  spent <- Inf
  for (i in seq_len(times)) {
    before <- proc.time()
    value <- eval.parent(asked)
    spent <- min(spent, sum((proc.time() - before)[c("user.self", "sys.self")]))
  }
  cat(name, units, spent, format(figure(value), digits = 12), "\n")
}
read <- function() {
  frame <- read.csv(asked[2])
  split(frame, frame$trial)
}

if (asked[1] == "survival") {
  suppressMessages(library(rpact))
  setLogLevel("DISABLED")
  design <- getDesignGroupSequential(kMax = 3, typeOfDesign = "OF", alpha = 0.025, sided = 1)
  run <- function(count) getSimulationSurvival(
    design, lambda2 = log(2) / 12, hazardRatio = 0.7, directionUpper = FALSE,
    accrualTime = c(0, 12), maxNumberOfSubjects = 490, plannedEvents = c(112, 223, 335),
    maxNumberOfIterations = count, seed = 20261122
  )
  invisible(run(10))
  timed("rpact", 2000, run(2000), function(x) x$overallReject)
}
if (asked[1] == "log_rank") {
  suppressMessages(library(survival))
  trials <- read()
  one <- function(d) survdiff(Surv(time, event) ~ arm, d)$chisq
  invisible(one(trials[[1]]))
  timed("survival::survdiff", length(trials), vapply(trials, one, 0), sum)
}
if (asked[1] == "cox") {
  suppressMessages(library(survival))
  trials <- read()
  one <- function(d) coxph(Surv(time, event) ~ arm + x1 + x2 + x3, d)$coefficients[[1]]
  invisible(one(trials[[1]]))
  timed("survival::coxph", length(trials), vapply(trials, one, 0), sum)
  bare <- function(d) coxph.fit(
    as.matrix(d[, c("arm", "x1", "x2", "x3")]), Surv(d$time, d$event), NULL, NULL, NULL,
    coxph.control(), NULL, "efron", NULL
  )$coefficients[[1]]
  timed("survival::coxph.fit", length(trials), vapply(trials, bare, 0), sum)
}
if (asked[1] == "mmrm") {
  suppressMessages(library(nlme))
  trials <- lapply(read(), function(d) {
    d$v <- factor(d$visit)
    d
  })
  one <- function(d) {
    fit <- gls(
      y ~ v + v:base + v:arm, d, correlation = corSymm(form = ~ visit | id),
      weights = varIdent(form = ~ 1 | visit), method = "REML", na.action = na.omit
    )
    coef(fit)[["v4:arm"]]
  }
  invisible(one(trials[[1]]))
  timed("nlme::gls", length(trials), vapply(trials, one, 0), sum, times = 1)
}
