# ---- what the checks below use: R's own functions, and formulas written out ----

suppressMessages({
  library(survival)
  library(nlme)
})
options(warn = 1, digits = 10)

here <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
folder <- if (length(here)) dirname(here[1]) else "."
data <- read.csv(file.path(folder, "analysis.csv"), na.strings = "", check.names = FALSE,
                 fileEncoding = "UTF-8", stringsAsFactors = FALSE)
results <- read.csv(file.path(folder, "results.csv"), na.strings = "", check.names = FALSE,
                    fileEncoding = "UTF-8", stringsAsFactors = FALSE)
rownames(results) <- results$id
failed <- character(0)

# Patients of one analysis; `treated` is 1 or 0.
those <- function(column, categories = character(0)) {
  d <- data[data[[column]] == 1, ]
  d$treated <- as.numeric(d$arm_number > 0)
  for (name in categories) d[[name]] <- droplevels(factor(d[[name]]))
  d
}

# Compare c(estimate, standard error) with results.csv; differences of estimates are told in units
# of the larger of the estimate and its standard error, those of standard errors of their own.
check <- function(id, tolerance, value) {
  value <- tryCatch(value, error = function(fault) {
    message(id, ": ", conditionMessage(fault))
    c(NA, NA)
  })
  ours <- as.numeric(results[id, c("scale_estimate", "model_se")])
  value <- as.numeric(value)
  gap <- abs(value - ours) / c(max(abs(ours)), abs(ours[2]))
  good <- all(is.finite(gap)) && all(gap <= tolerance)
  if (!good) failed <<- c(failed, id)
  cat(sprintf("%-44s estimate %.10g  se %.10g  differences %.1e %.1e  %s\n", id, value[1],
              value[2], gap[1], gap[2], if (good) "same" else "DIFFERENT"))
}

not_checked <- function(id, why) cat(sprintf("%-44s not checked: %s\n", id, why))

# Sums over event times of weighted log-rank statistics: one-step log hazard ratio and its
# standard error. `weigh` gets the pooled survival just before the event time, the number at risk,
# and the time.
log_rank <- function(time, event, treated, stratum, weigh) {
  score <- slope <- variance <- 0
  for (s in unique(stratum)) {
    inside <- stratum == s
    survival <- 1
    for (now in sort(unique(time[inside & event == 1]))) {
      risk <- inside & time >= now
      n <- sum(risk); n1 <- sum(risk & treated == 1)
      dead <- risk & time == now & event == 1
      d <- sum(dead); d1 <- sum(dead & treated == 1)
      w <- weigh(survival, n, now)
      v <- if (n > 1) d * (n1 / n) * (1 - n1 / n) * (n - d) / (n - 1) else 0
      score <- score + w * (d1 - d * n1 / n)
      slope <- slope + w * v
      variance <- variance + w^2 * v
      survival <- survival * (1 - d / n)
    }
  }
  c(score / slope, sqrt(variance) / slope)
}

fleming_harrington <- function(rho, gamma) function(survival, n, now) {
  (if (rho == 0) 1 else survival^rho) * (if (gamma == 0) 1 else (1 - survival)^gamma)
}
gehan <- function(survival, n, now) n
tarone_ware <- function(survival, n, now) sqrt(n)
modest <- function(until, cap) {
  held <- NA
  function(survival, n, now) {
    if (survival == 1) held <<- NA  # a stratum begins
    if (now <= until) return(min(1 / survival, cap))
    if (is.na(held)) held <<- survival
    min(1 / held, cap)
  }
}

# MaxCombo: estimate and standard error of the test with the largest |z|.
max_combo <- function(time, event, treated, stratum, weights) {
  found <- sapply(weights, function(weigh) log_rank(time, event, treated, stratum, weigh))
  found[, which.max(abs(found[1, ] / found[2, ]))]
}

# Kaplan-Meier curve of one arm: survival at a time and mean up to it, with Greenwood's variances.
km <- function(time, event, horizon) {
  moments <- sort(unique(time[event == 1 & time <= horizon]))
  n <- sapply(moments, function(now) sum(time >= now))
  d <- sapply(moments, function(now) sum(time == now & event == 1))
  curve <- cumprod(1 - d / n)
  left <- n - d
  rate <- ifelse(left > 0, d / (n * left), 0)
  area <- c(1, curve) * diff(c(0, moments, horizon))
  after <- rev(cumsum(rev(area)))[-1]
  last <- if (length(curve)) curve[length(curve)] else 1
  list(survival = last, survival_variance = last^2 * sum(rate), mean = sum(area),
       mean_variance = sum(after^2 * rate))
}

by_arm <- function(time, event, treated, horizon, what) {
  one <- km(time[treated == 1], event[treated == 1], horizon)
  zero <- km(time[treated == 0], event[treated == 0], horizon)
  variance <- paste0(what, "_variance")
  c(one[[what]] - zero[[what]], sqrt(one[[variance]] + zero[[variance]]))
}

# Two proportions, Wald's standard errors.
proportions <- function(y, treated, measure) {
  n <- c(sum(treated == 0), sum(treated == 1))
  x <- c(sum(y[treated == 0]), sum(y[treated == 1]))
  p <- x / n
  switch(measure,
    difference = c(p[2] - p[1], sqrt(sum(p * (1 - p) / n))),
    ratio = c(log(p[2] / p[1]), sqrt(sum(1 / x - 1 / n))),
    odds_ratio = c(diff(qlogis(p)), sqrt(sum(1 / x + 1 / (n - x)))))
}

# g-computation from a logistic regression; sandwich of the stacked estimating equations.
standardised <- function(formula, d, measure) {
  known <- is.finite(d$y)
  fit <- glm(formula, binomial, d[known, ], control = glm.control(epsilon = 1e-14, maxit = 100))
  x <- model.matrix(delete.response(terms(fit)), d, xlev = fit$xlevels)
  beta <- coef(fit); n <- nrow(d)
  score <- matrix(0, n, ncol(x))
  score[known, ] <- x[known, ] * (d$y[known] - fitted(fit))
  bread <- vcov(fit)
  risk <- numeric(2); influence <- matrix(0, n, 2)
  for (arm in 0:1) {
    moved <- x
    moved[, "treated"] <- arm
    p <- drop(plogis(moved %*% beta))
    risk[arm + 1] <- mean(p)
    slope <- colMeans(moved * p * (1 - p))
    influence[, arm + 1] <- (p - mean(p)) / n + score %*% bread %*% slope
  }
  v <- crossprod(influence)
  g <- switch(measure, difference = c(-1, 1), ratio = c(-1, 1) / risk,
              odds_ratio = c(-1, 1) / (risk * (1 - risk)))
  value <- switch(measure, difference = risk[2] - risk[1], ratio = log(risk[2] / risk[1]),
                  odds_ratio = diff(qlogis(risk)))
  c(value, sqrt(drop(g %*% v %*% g)))
}

# Event rates: Poisson regression on the arm, sandwich variance.
rates <- function(y, exposure, treated) {
  part <- function(inside) {
    rate <- sum(y[inside]) / sum(exposure[inside])
    c(log(rate), sum((y[inside] - rate * exposure[inside])^2) / sum(y[inside])^2)
  }
  one <- part(treated == 1); zero <- part(treated == 0)
  c(one[1] - zero[1], sqrt(one[2] + zero[2]))
}

# Poisson or negative binomial regression with log exposure as offset, sandwich variance; the
# dispersion alpha by maximum likelihood.
count_regression <- function(formula, d, law) {
  x <- model.matrix(formula, d)
  offset <- log(d$exposure)
  means <- function(alpha, beta = c(log(sum(d$y) / sum(d$exposure)), rep(0, ncol(x) - 1))) {
    for (step in 1:200) {
      mu <- exp(drop(x %*% beta) + offset)
      w <- mu / (1 + alpha * mu)
      move <- drop(solve(crossprod(x * w, x), crossprod(x, w * (d$y - mu) / mu)))
      beta <- beta + move
      if (max(abs(move)) < 1e-13) break
    }
    beta
  }
  likelihood <- function(log_alpha) {
    mu <- exp(drop(x %*% means(exp(log_alpha))) + offset)
    sum(dnbinom(d$y, size = exp(-log_alpha), mu = mu, log = TRUE))
  }
  alpha <- 0
  if (law == "negative_binomial") {
    alpha <- exp(optimize(likelihood, c(-16, 5), maximum = TRUE, tol = 1e-10)$maximum)
    if (alpha < 1e-6) alpha <- 0
  }
  beta <- means(alpha)
  mu <- exp(drop(x %*% beta) + offset)
  bread <- solve(crossprod(x * (mu / (1 + alpha * mu)), x))
  score <- x * ((d$y - mu) / (1 + alpha * mu))
  v <- bread %*% crossprod(score) %*% bread
  c(beta[2], sqrt(v[2, 2]))
}

# Mixed model for repeated measures by gls: means, treatment and covariates by visit. Its
# standard error is the model-based one; Kenward and Roger's correction is not computed here.
repeated <- function(d, outcomes, covariates, family) {
  table <- if (length(covariates)) {
    model.matrix(reformulate(covariates), d)[, -1, drop = FALSE]
  } else matrix(0, nrow(d), 0)
  centred <- sweep(table, 2, colMeans(table))
  colnames(centred) <- paste0("c", seq_len(ncol(centred)), recycle0 = TRUE)
  long <- do.call(rbind, lapply(seq_along(outcomes), function(k) {
    data.frame(id = seq_len(nrow(d)), visit = k, y = d[[outcomes[k]]], treated = d$treated, centred)
  }))
  long <- long[is.finite(long$y), ]
  long <- long[order(long$id, long$visit), ]
  long$at <- factor(long$visit)
  terms <- c("0 + at", paste0("at:", c("treated", colnames(centred))))
  form <- ~ visit | id
  correlation <- switch(family, unstructured = corSymm(form = form),
                        heterogeneous_ar1 = corAR1(form = form),
                        heterogeneous_cs = corCompSymm(form = form))
  # Each optimiser loses its way on some data: the better of the two that arrive.
  fits <- lapply(c("nlminb", "optim"), function(opt) tryCatch(
    gls(reformulate(terms, "y"), long, correlation, varIdent(form = ~ 1 | at), method = "REML",
        control = glsControl(maxIter = 500, msMaxIter = 2000, tolerance = 1e-10, msTol = 1e-12,
                             opt = opt)),
    error = function(fault) NULL))
  fits <- Filter(Negate(is.null), fits)
  if (!length(fits)) stop("gls does not converge")
  fit <- fits[[which.max(sapply(fits, function(fit) as.numeric(logLik(fit))))]]
  last <- paste0("at", length(outcomes), ":treated")
  c(coef(fit)[[last]], sqrt(vcov(fit)[last, last]))
}

