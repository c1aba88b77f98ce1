//go:build race

package sqlstore_test

// raced is true with the race detector, under which SQLite in Go is ten times slower.
const raced = true
