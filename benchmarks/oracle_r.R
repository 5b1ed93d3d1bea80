# Group-sequential designs by rpact: reads a JSON-like table of designs, writes their figures.
# Usage: Rscript oracle_r.R designs.tsv results.tsv
suppressMessages({
  options(warn = -1)
  library(rpact)
  setLogLevel("DISABLED")
})
paths <- commandArgs(trailingOnly = TRUE)
numbers <- function(text) as.numeric(strsplit(text, ",")[[1]])
joined <- function(x) paste(format(as.numeric(x), digits = 15), collapse = ",")
designs <- read.delim(paths[1], stringsAsFactors = FALSE, colClasses = "character")
out <- list()
for (i in seq_len(nrow(designs))) {
  row <- designs[i, ]
  given <- list(
    kMax = length(numbers(row$rates)), informationRates = numbers(row$rates),
    alpha = as.numeric(row$alpha), beta = 1 - as.numeric(row$power),
    sided = as.integer(row$sided), typeOfDesign = row$type, tolerance = 1e-10
  )
  if (row$delta != "") given$deltaWT <- as.numeric(row$delta)
  if (row$gamma != "") given$gammaA <- as.numeric(row$gamma)
  if (row$interim != "") given$constantBoundsHP <- as.numeric(row$interim)
  if (row$custom != "") given$userAlphaSpending <- numbers(row$custom)
  if (row$beta_type != "") {
    given$typeBetaSpending <- row$beta_type
    given$bindingFutility <- row$binding == "1"
    if (row$beta_gamma != "") given$gammaB <- as.numeric(row$beta_gamma)
  }
  if (row$futility != "") {
    given$futilityBounds <- numbers(row$futility)
    given$bindingFutility <- row$binding == "1"
  }
  start <- proc.time()[["user.self"]]
  answer <- tryCatch({
    design <- do.call(getDesignGroupSequential, given)
    about <- getDesignCharacteristics(design)
    futility <- if (given$kMax > 1 && (row$beta_type != "" || row$futility != ""))
      joined(design$futilityBounds) else ""
    data.frame(
      id = row$id, critical = joined(design$criticalValues), futility = futility,
      drift = format(sqrt(about$shift), digits = 15),
      inflation = format(about$inflationFactor, digits = 15),
      power = joined(about$power),
      expected = joined(c(about$averageSampleNumber1, about$averageSampleNumber01,
                          about$averageSampleNumber0)),
      seconds = proc.time()[["user.self"]] - start, failed = ""
    )
  }, error = function(e) data.frame(
    id = row$id, critical = "", futility = "", drift = "", inflation = "", power = "",
    expected = "", seconds = proc.time()[["user.self"]] - start,
    failed = gsub("[\t\n]", " ", conditionMessage(e))
  ))
  out[[i]] <- answer
}
write.table(do.call(rbind, out), paths[2], sep = "\t", quote = FALSE, row.names = FALSE)
