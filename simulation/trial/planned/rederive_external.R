# Patients of an analysis that borrows external controls, and their covariates as a matrix.
lent <- function(id) {
  borrowed <- read.csv(file.path(folder, "borrowed.csv"), na.strings = "", check.names = FALSE,
                       fileEncoding = "UTF-8", stringsAsFactors = FALSE)
  d <- borrowed[borrowed$question == id, ]
  columns <- grep("^c[0-9]+$", names(d), value = TRUE)
  d$x <- as.matrix(d[, columns[!is.na(d[1, columns])], drop = FALSE])
  d
}

# Weights of a propensity score: "att" or "overlap"; each group's mean is 1.
propensity_weights <- function(member, x, target) {
  e <- fitted(glm(member ~ x, family = binomial, control = glm.control(epsilon = 1e-14, maxit = 100)))
  w <- if (target == "att") ifelse(member == 1, 1, e / (1 - e)) else ifelse(member == 1, 1 - e, e)
  list(e = e, w = w / ave(w, member))
}

# Weighted difference of means; sandwich of the stacked equations of propensity and means.
weighted_means <- function(d, target) {
  found <- propensity_weights(d$treated, d$x, target)
  share <- found$w / ave(found$w, d$treated, FUN = sum)
  mean <- c(sum((share * d$y)[d$treated == 0]), sum((share * d$y)[d$treated == 1]))
  signed <- ifelse(d$treated == 1, 1, -1) * share * (d$y - mean[d$treated + 1])
  # Slopes of the logarithm of a weight in the linear predictor.
  slope <- if (target == "att") 1 - d$treated else ifelse(d$treated == 1, -found$e, 1 - found$e)
  z <- cbind(1, d$x)
  bread <- solve(crossprod(z * (found$e * (1 - found$e)), z))
  through <- z %*% (bread %*% colSums(z * (signed * slope)))
  influence <- signed + through * (d$treated - found$e)
  c(mean[2] - mean[1], sqrt(sum(influence^2)))
}

# Marginal Cox model with weights of the propensity, taken as known.
weighted_cox <- function(d, target) {
  d$w <- propensity_weights(d$treated, d$x, target)$w
  fit <- coxph(Surv(time, event) ~ treated, d, weights = w, robust = TRUE, ties = "breslow",
               cluster = seq_len(nrow(d)), control = coxph.control(eps = 1e-11, iter.max = 50))
  c(coef(fit)[["treated"]], sqrt(vcov(fit)[1, 1]))
}

# Power prior of the control mean: externals, weighted to the trial, at a fraction of their worth.
power_prior <- function(d, power) {
  w <- propensity_weights(1 - d$external, d$x, "att")$w[d$external == 1]
  y <- d$y[d$external == 1]
  share <- w / sum(w)
  far <- sum(share * y)
  far_variance <- sum(share * (y - far)^2) / (1 - sum(share^2)) * sum(share^2) / power
  own <- d$y[d$external == 0 & d$treated == 0]
  one <- d$y[d$treated == 1]
  precision <- c(length(own) / var(own), 1 / far_variance)
  control <- sum(precision * c(mean(own), far)) / sum(precision)
  c(mean(one) - control, sqrt(var(one) / length(one) + 1 / sum(precision)))
}

# Matching one to one on the propensity: the largest score chooses first, each the nearest control
# that is left, within a caliper in SDs of the score (of equally near ones the first in the data).
matched_pairs <- function(d, caliper) {
  e <- signif(propensity_weights(d$treated, d$x, "att")$e, 12)
  left <- which(d$treated == 0)
  gaps <- numeric(0)
  treated <- which(d$treated == 1)
  for (i in treated[order(-e[treated])]) {
    if (!length(left)) break
    far <- abs(e[left] - e[i])
    k <- which.min(far)
    if (far[k] > caliper * sd(e)) next
    gaps <- c(gaps, d$y[i] - d$y[left[k]])
    left <- left[-k]
  }
  c(mean(gaps), sd(gaps) / sqrt(length(gaps)))
}

# Augmented weighting for the treated: residuals of an outcome model of the controls, each patient's
# from the other four folds, dealt out in turn; variance of both groups' residuals.
augmented <- function(d, family) {
  w <- propensity_weights(d$treated, d$x, "att")$w
  fold <- ave(seq_len(nrow(d)), d$treated, FUN = function(i) (seq_along(i) - 1) %% 5)
  z <- cbind(1, d$x)
  predicted <- numeric(nrow(d))
  for (k in 0:4) {
    learn <- d$treated == 0 & fold != k
    fit <- glm.fit(z[learn, ], d$y[learn], family = family,
                   control = glm.control(epsilon = 1e-14, maxit = 100))
    beta <- ifelse(is.na(fit$coefficients), 0, fit$coefficients)
    predicted[fold == k] <- family$linkinv(drop(z[fold == k, , drop = FALSE] %*% beta))
  }
  residual <- d$y - predicted
  one <- residual[d$treated == 1]; zero <- residual[d$treated == 0]
  share <- w[d$treated == 0] / sum(w[d$treated == 0])
  away <- share / (1 - share) * (zero - sum(share * zero))
  n <- length(zero)
  behind <- max(sum(away^2) * (n - 1) / n, var(zero) * sum(share^2))
  c(mean(one) - sum(share * zero), sqrt(var(one) / length(one) + behind))
}

# MAP prior of the control mean, by numerical integration over the SD between studies, tau, which
# is half-normal; `vague` is the weight of a vague component. Mean and SD of the effect's posterior.
map_prior <- function(d, tau_scale, vague) {
  w <- propensity_weights(1 - d$external, d$x, "att")$w
  figures <- function(rows) {
    share <- w[rows] / sum(w[rows])
    mean <- sum(share * d$y[rows])
    variance <- sum(share * (d$y[rows] - mean)^2) / (1 - sum(share^2))
    c(mean, variance * sum(share^2), variance)
  }
  far <- which(d$external == 1)
  each <- sapply(split(far, d$study_id[far]), figures)
  all <- figures(far)
  own <- d$y[d$external == 0 & d$treated == 0]; one <- d$y[d$treated == 1]
  own_variance <- var(own) / length(own)
  scale <- tau_scale * sqrt(all[3])
  # At one tau: density of tau, evidence of the own mean, its posterior mean and variance.
  at <- function(tau) {
    spread <- each[2, ] + tau^2
    precision <- sum(1 / spread)
    centre <- sum(each[1, ] / spread) / precision
    density <- 2 * dnorm(tau, 0, scale) *
      exp(-0.5 * (sum((each[1, ] - centre)^2 / spread + log(spread)) + log(precision)))
    c(density, told(centre, 1 / precision + tau^2))
  }
  told <- function(centre, variance) {
    after <- 1 / (1 / variance + 1 / own_variance)
    mean <- after * (centre / variance + mean(own) / own_variance)
    c(dnorm(mean(own), centre, sqrt(variance + own_variance)), mean, after)
  }
  over <- function(f) {
    integrate(function(taus) sapply(taus, function(tau) f(at(tau))), 0, 10 * scale,
              rel.tol = 1e-10, subdivisions = 1000)$value
  }
  whole <- over(function(v) v[1])
  part <- sapply(0:2, function(k) over(function(v) {
    v[1] * v[2] * switch(k + 1, 1, v[3], v[4] + v[3]^2)
  })) / whole
  far_off <- told(all[1], all[3])
  moments <- (1 - vague) * part +
    vague * far_off[1] * c(1, far_off[2], far_off[3] + far_off[2]^2)
  control <- moments[2] / moments[1]
  spread <- moments[3] / moments[1] - control^2
  c(mean(one) - control, sqrt(var(one) / length(one) + spread))
}

