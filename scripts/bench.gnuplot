# SPDX-License-Identifier: GPL-2.0
# Draws "picture" of the table "data", with "columns" of numbers: a bar for each case and kernel, and how the cost per page and
# per mapping grows with their number.
set terminal pngcairo size 2600, 2400 font ",13" noenhanced
set output picture
set datafile separator "\t"
set multiplot layout 3, 1
set grid ytics
set logscale y

set style data histogram
set style histogram clustered gap 1
set style fill solid border -1
set xtics rotate by -60 nomirror font ",10"
set bmargin 20
set rmargin 12
set ylabel "instructions"
set key top left
rows = int(system("grep -c . ".data)) - 1
half = rows / 2
set title "Instructions of each case"
plot for [i=2:columns+1] data every ::1::half using i:xtic(1) title columnheader(i)
set title ""
plot for [i=2:columns+1] data every ::half+1 using i:xtic(1) title columnheader(i)

set bmargin 5
set rmargin 40
set logscale x
set xtics norotate autofreq font ",13"
set xlabel "pages, or mappings"
set ylabel "instructions for each"
set title "Growth"
set key outside right
# grow(COLUMN, CASE, DIVIDED): the numbers of CASE, a pattern with one number in it; where DIVIDED, for all, not for each
grow(column, case, divided) = sprintf("< awk -F '\\t' 'match($1, /^%s$/) { n = $1; gsub(/[^0-9]/, \"\", n); print n \"\\t\" $%d / (%d ? n : 1) }' %s", \
	case, column, divided, data)
names = "stock RUST_VMA=n RUST_VMA=y peer"
plot for [i=2:columns+1] grow(i, "GUARD_INSTALL, [0-9]+ empty( per page)?", 0) using 1:2 with linespoints lw 2 dt i title "install, empty: ".word(names, i - 1), \
	for [i=2:columns+1] grow(i, "GUARD_REMOVE, [0-9]+ guarded( per page)?", 0) using 1:2 with linespoints lw 2 dt i title "remove: ".word(names, i - 1), \
	for [i=2:columns+1] grow(i, "fork.., [0-9]+ mappings? with (a guard|guards)", 1) using 1:2 with linespoints lw 2 dt i title "fork: ".word(names, i - 1), \
	for [i=2:columns+1] grow(i, "smaps, [0-9]+ mappings", 1) using 1:2 with linespoints lw 2 dt i title "smaps: ".word(names, i - 1)
unset multiplot
