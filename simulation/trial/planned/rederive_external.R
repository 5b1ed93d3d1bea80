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

