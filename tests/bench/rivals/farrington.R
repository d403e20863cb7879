# CPU milliseconds of farringtonFlexible for one week of one series, and its bounds, for the columns of a CSV.
suppressMessages(library(surveillance))
given <- as.matrix(read.csv(commandArgs(trailingOnly = TRUE)[1], header = FALSE))
control <- list(range = nrow(given), b = 5, w = 3, noPeriods = 10, pastWeeksNotIncluded = 26, weightsThreshold = 2.58,
                pThresholdTrend = 1, thresholdMethod = "nbPlugin", alpha = 0.01, glmWarnings = FALSE)
judge <- function(column) {
  series <- new("sts", observed = given[, column], epoch = seq_len(nrow(given)), freq = 52)
  as.numeric(upperbound(suppressWarnings(farringtonFlexible(series, control = control))))
}
invisible(judge(1))
before <- proc.time()
bounds <- sapply(seq_len(ncol(given)), judge)
spent <- proc.time() - before
cat((spent[["user.self"]] + spent[["sys.self"]]) * 1000 / ncol(given), "\n")
cat(bounds, "\n")
