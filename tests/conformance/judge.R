# Judge every case of a folder with R's surveillance: cases.R holds the list, each answer becomes N.csv or N.error.
suppressMessages(library(surveillance))
folder <- commandArgs(trailingOnly = TRUE)[1]
source(file.path(folder, "cases.R"))
for (case in cases) {
  given <- read.csv(file.path(folder, paste0(case$name, "_input.csv")))
  series <- new("sts", observed = given$observed, epoch = as.numeric(given$epoch), epochAsDate = case$dated, freq = case$freq)
  detector <- if (case$ears) earsC else farringtonFlexible
  found <- tryCatch(suppressWarnings(detector(series, control = case$control)), error = function(e) conditionMessage(e))
  if (is.character(found)) {
    writeLines(found, file.path(folder, paste0(case$name, ".error")))
    next
  }
  answer <- data.frame(t = case$control$range, upperbound = as.numeric(upperbound(found)), alarm = as.logical(alarms(found)))
  if (!case$ears) {
    answer$expected <- as.numeric(found@control$expected)
    answer$score <- as.numeric(found@control$score)
  }
  write.csv(format(answer, digits = 17), file.path(folder, paste0(case$name, ".csv")), row.names = FALSE, quote = FALSE)
}
