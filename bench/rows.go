//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"
)

// row is one line of the table.
type row struct {
	name        string
	path        string
	connections int
	crm         *crm // nil if no lead is delivered
	latency     time.Duration
}

// rows returns the rows in the order measured. The first of each number of connections is the
// handler that the others are compared with.
func rows(to crms) []row {
	var all []row
	for _, n := range []int{1, 32, 256} {
		all = append(all,
			row{name: "keeps nothing", path: "/forgetful", connections: n},
			row{name: "least, kept", path: "/kept", connections: n},
			row{name: "least, sent", path: "/sent", connections: n, crm: to.fast},
			row{name: "capture alone", path: "/held", connections: n},
			row{name: "deliver later", path: "/later", connections: n, crm: to.fast},
			row{name: "deliver now", path: "/now", connections: n, crm: to.fast},
		)
	}
	const latency = 150 * time.Millisecond
	return append(all, row{name: "deliver now, CRM takes 150ms", path: "/slow", connections: 256, crm: to.slow, latency: latency})
}

// measured are the measurements of one row on one server, one for each round.
type measured struct {
	rate, cpu, median []float64
}

func (m *measured) add(r result) {
	m.rate = append(m.rate, r.perSecond())
	m.cpu = append(m.cpu, r.cpuPerRequest())
	m.median = append(m.median, micros(r.median()))
}

// bench measures all rows on all servers.
type bench struct {
	rows    []row
	servers []*server
	load    time.Duration
	results [][]measured
}

func newBench(rows []row, servers []*server, load time.Duration) *bench {
	b := &bench{rows: rows, servers: servers, load: load}
	for range servers {
		b.results = append(b.results, make([]measured, len(rows)))
	}
	return b
}

// round measures each row once, with the servers alternating.
func (b *bench) round(keep bool) error {
	for i, row := range b.rows {
		for n, server := range b.servers {
			got, err := server.measure(row.path, row.connections, b.load, row.crm)
			if err != nil {
				return fmt.Errorf("%s, %d connections: %w", row.name, row.connections, err)
			}
			if keep {
				b.results[n][i].add(got)
			}
		}
	}
	return nil
}

// profileAll writes a profile of each row on each server.
func (b *bench) profileAll(folder string) error {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return err
	}
	for _, row := range b.rows {
		for n, server := range b.servers {
			path := filepath.Join(folder, fmt.Sprintf("server%d%s-%d.pprof", n+1, filepath.ToSlash(row.path), row.connections))
			if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
				return err
			}
			done := make(chan error, 1)
			go func() { done <- server.profile(path, b.load) }()
			if _, err := server.measure(row.path, row.connections, b.load+time.Second, row.crm); err != nil {
				return err
			}
			if err := <-done; err != nil {
				return err
			}
		}
	}
	return nil
}

// print prints the medians of all rounds. Rates and processor times are also printed as ratios to
// those of the handler that keeps nothing. Errors of writing come from the last flush.
func (b *bench) print() error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprint(w, "connections\thandler\tserver\trequests/s\tratio\tµs CPU a request\tratio\tmedian answer\t\n")
	base := 0
	for i, row := range b.rows {
		if row.connections != b.rows[base].connections {
			base = i
		}
		for n := range b.servers {
			m := b.results[n][i]
			than := b.results[n][base]
			_, _ = fmt.Fprintf(w, "%d\t%s\t%d\t%.0f\t%.2f\t%.0f\t%.2f\t%v\t\n", row.connections, row.name, n+1,
				median(m.rate), median(ratios(m.rate, than.rate)), median(m.cpu), median(ratios(m.cpu, than.cpu)),
				time.Duration(median(m.median)*float64(time.Microsecond)).Round(10*time.Microsecond))
		}
		if row.latency > 0 {
			for n := range b.servers {
				allowed := float64(row.connections) / row.latency.Seconds()
				_, _ = fmt.Fprintf(w, "\tshare of what the latency allows\t%d\t%.3f\t\t\t\t\t\n", n+1, median(b.results[n][i].rate)/allowed)
			}
		}
	}
	return w.Flush()
}

// ratios returns the ratios of each round, which has less noise than the ratio of the medians.
func ratios(of, than []float64) []float64 {
	all := make([]float64, len(of))
	for i := range of {
		all[i] = of[i] / than[i]
	}
	return all
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
