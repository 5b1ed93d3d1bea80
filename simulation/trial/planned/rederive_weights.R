# Rows cut at event times with weights P(uncensored | arm) / P(uncensored | x, arm) just before
# each row's end; censoring by a Cox model with its own baseline in each arm. d has id, time, event.
censoring_rows <- function(d, names, cap) {
  d$gone <- 1 - d$event
  relative <- rep(1, nrow(d))
  if (any(d$gone == 1)) {
    fit <- coxph(reformulate(c(names, "strata(treated)"), "Surv(time, gone)"), d, ties = "breslow",
                 control = coxph.control(eps = 1e-11, iter.max = 50))
    relative <- exp(drop(model.matrix(fit) %*% coef(fit)))
  }
  d$row <- seq_len(nrow(d))
  long <- survSplit(Surv(time, event) ~ ., d, cut = sort(unique(d$time[d$event == 1])),
                    start = "began")
  log_weight <- numeric(nrow(long))
  for (arm in 0:1) {
    own <- d$treated == arm
    at <- sort(unique(d$time[own & d$gone == 1]))
    rate <- function(r) sapply(at, function(now) {
      sum(own & d$gone == 1 & d$time == now) / sum(r[own & d$time >= now])
    })
    rows <- which(long$treated == arm)
    if (!length(at)) next
    before <- function(r) {  # cumulative hazard just before each row's end
      c(0, cumsum(rate(r)))[findInterval(long$time[rows], at, left.open = TRUE) + 1]
    }
    log_weight[rows] <- relative[long$row[rows]] * before(relative) - before(rep(1, nrow(d)))
  }
  long$w <- pmin(exp(log_weight), cap)
  long
}

# Weighted Cox model; with one_step the weighted log-rank test's step from no effect.
censoring_cox <- function(long, names, one_step) {
  control <- coxph.control(eps = 1e-12, toler.chol = 1e-13, iter.max = if (one_step) 0 else 50)
  fit <- coxph(reformulate(c("treated", names), "Surv(began, time, event)"), long, weights = w,
               cluster = row, robust = TRUE, ties = "breslow", control = control)
  if (!one_step) return(c(coef(fit)[["treated"]], sqrt(vcov(fit)[1, 1])))
  score <- colSums(as.matrix(residuals(fit, "score", weighted = TRUE)))
  c((fit$naive.var %*% score)[1], sqrt(vcov(fit)[1, 1]))
}

# Weighted Kaplan-Meier: survival at a time or mean up to it; infinitesimal jackknife.
censoring_curve <- function(long, horizon, what) {
  part <- function(arm) {
    d <- long[long$treated == arm, ]
    at <- sort(unique(d$time[d$event == 1 & d$time <= horizon]))
    survival <- 1; pull <- matrix(0, max(long$row), length(at)); curve <- numeric(length(at))
    for (k in seq_along(at)) {
      risk <- d$began < at[k] & d$time >= at[k]
      dead <- d$event == 1 & d$time == at[k]
      h <- sum(d$w[dead]) / sum(d$w[risk])
      pull[d$row[risk], k] <- d$w[risk] * (dead[risk] - h) / sum(d$w[risk]) / (1 - h)
      survival <- survival * (1 - h)
      curve[k] <- survival
    }
    if (what == "survival") return(c(survival, sum((survival * rowSums(pull))^2)))
    area <- c(1, curve) * diff(c(0, at, horizon))
    after <- rev(cumsum(rev(area)))[-1]
    c(sum(area), sum((pull %*% after)^2))
  }
  one <- part(1); zero <- part(0)
  c(one[1] - zero[1], sqrt(one[2] + zero[2]))
}

# Weights of those seen at every visit: logistic regressions of being seen among those left, on the
# arm, covariates and the visit before; then least squares with the robust variance.
dropout_means <- function(d, outcomes, weights_of, covariates, cap) {
  left <- rep(TRUE, nrow(d)); w <- rep(1, nrow(d))
  for (k in seq_along(outcomes)) {
    seen <- is.finite(d[[outcomes[k]]])
    if (!all(seen[left])) {
      d$seen <- as.numeric(seen)
      right <- c("treated", weights_of, if (k > 1) outcomes[k - 1])
      fit <- glm(reformulate(right, "seen"), binomial, d[left, ],
                 control = glm.control(epsilon = 1e-14, maxit = 100))
      w[left] <- w[left] * ave(d$seen[left], d$treated[left]) / fitted(fit)
      left <- left & seen
    }
  }
  d <- d[left, ]; d$w <- pmin(w[left], cap)
  fit <- lm(reformulate(c("treated", covariates), outcomes[length(outcomes)]), d, weights = w)
  x <- model.matrix(fit)
  bread <- solve(crossprod(x * d$w, x))
  v <- bread %*% crossprod(x * (d$w * residuals(fit))) %*% bread
  c(coef(fit)[["treated"]], sqrt(v["treated", "treated"]))
}

