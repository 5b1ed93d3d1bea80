# Survival analyses by R's survival package: reads data sets, writes "id|name|figures".
# Usage: Rscript oracle_r_survival.R data.csv results.txt
suppressMessages(library(survival))
options(warn = -1)
paths <- commandArgs(trailingOnly = TRUE)
frame <- read.csv(paths[1])
sink(paths[2])
tell <- function(name, values) {
  figures <- paste(formatC(as.numeric(values), digits = 15, format = "g"), collapse = " ")
  cat(id, "|", name, "|", figures, "\n", sep = "")
}
test <- function(s) c(sum(as.matrix(s$obs)[2, ] - as.matrix(s$exp)[2, ]), s$var[2, 2], s$chisq)
fine <- coxph.control(eps = 1e-13, iter.max = 50)
for (id in unique(frame$id)) {
  d <- frame[frame$id == id, ]
  d$row <- seq_len(nrow(d))
  end <- d$horizon[1]
  tell("log-rank", test(survdiff(Surv(time, event) ~ arm, d)))
  tell("log-rank in strata", test(survdiff(Surv(time, event) ~ arm + strata(stratum), d)))
  tell("rho 1 in strata", test(survdiff(Surv(time, event) ~ arm + strata(stratum), d, rho = 1)))
  for (ties in c("efron", "breslow")) {
    f <- coxph(Surv(time, event) ~ arm + x1 + x2, d, ties = ties, control = fine)
    tell(paste("Cox", ties), c(coef(f), f$var, f$loglik, f$score))
    f <- coxph(Surv(time, event) ~ arm + x1 + strata(stratum) + offset(shift), d, ties = ties,
               weights = weight, robust = TRUE, control = fine)
    tell(paste("Cox weighted", ties), c(coef(f), f$naive.var, f$var))
  }
  km <- survfit(Surv(time, event) ~ arm, d)
  s <- summary(km, times = end, extend = TRUE)
  tell("landmark", c(s$surv, s$std.err))
  s <- summary(km, rmean = end)$table
  tell("restricted mean", c(s[, "rmean"], s[, "se(rmean)"]))
  s <- summary(survfit(Surv(time, factor(cause)) ~ arm, d), times = end, extend = TRUE)
  tell("cumulative incidence", c(s$pstate[, 2], s$std.err[, 2]))
  f <- coxph(Surv(time, cause == 1) ~ arm + x1, d, control = fine)
  tell("cause-specific Cox", c(coef(f), f$var))
  long <- finegray(Surv(time, factor(cause)) ~ ., d[, c("time", "cause", "arm", "x1", "row")],
                   id = row, etype = "1")
  f <- coxph(Surv(fgstart, fgstop, fgstatus) ~ arm + x1, long, weights = fgwt, ties = "breslow",
             cluster = row, control = fine)
  tell("Fine-Gray", c(coef(f), f$naive.var, f$var))
}
