module utan/bench/pogreb

go 1.19

require github.com/akrylysov/pogreb v0.10.2
