//go:build linux

// Command bench measures the cost of durable leads. It prints ratios, and runs both sides
// alternately, because the machine may be shared.
//
//	go run ./bench [-rounds 5] [-seconds 5] [-dir FOLDER]
//
// The outbox and the file for the bare writes are created in FOLDER, by default a temporary folder.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 5, "interleaved rounds of each measurement")
	seconds := flag.Int("seconds", 5, "seconds of load in each")
	dir := flag.String("dir", "", "folder for the outbox")
	flag.Parse()
	if err := run(*rounds, time.Duration(*seconds)*time.Second, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(rounds int, load time.Duration, parent string) error {
	dir, err := os.MkdirTemp(parent, "caddy-telecrm-bench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, "caddy")
	build := exec.Command("go", "build", "-o", binary, "./bench/caddy")
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building caddy: %w\n%s", err, output)
	}
	crm, err := startCRM(150 * time.Millisecond)
	if err != nil {
		return err
	}
	defer crm.close()
	s, err := startCaddy(binary, dir, crm.url)
	if err != nil {
		return err
	}
	defer s.stop()
	for _, measure := range []func(*server, int, time.Duration, string) error{many, one, now} {
		if err := measure(s, rounds, load, dir); err != nil {
			return err
		}
	}
	return nil
}

// many compares requests per second, and processor time per request, at 32 connections.
func many(s *server, rounds int, load time.Duration, _ string) error {
	var speed, cpu []float64
	for round := range rounds + 1 {
		base, err := s.measure("/forgetful", 32, load)
		if err != nil {
			return err
		}
		kept, err := s.measure("/later", 32, load)
		if err != nil {
			return err
		}
		if round == 0 {
			continue // warm-up
		}
		speed = append(speed, kept.perSecond()/base.perSecond())
		cpu = append(cpu, float64(kept.cpuPerRequest())/float64(base.cpuPerRequest()))
		fmt.Printf("32 connections: forgetful %6.0f/s %5.1f µs cpu, deliver later %6.0f/s %5.1f µs cpu\n",
			base.perSecond(), micros(base.cpuPerRequest()), kept.perSecond(), micros(kept.cpuPerRequest()))
	}
	fmt.Printf("32 connections: requests per second, ratio %.2f (wanted: 0.9 or more); processor time, ratio %.2f (wanted: 1.5 or less)\n",
		median(speed), median(cpu))
	return nil
}

// one compares the time that capturing a lead adds at one connection with a bare durable write.
func one(s *server, rounds int, load time.Duration, dir string) error {
	var ratios []float64
	for range rounds {
		base, err := s.measure("/forgetful", 1, load/2)
		if err != nil {
			return err
		}
		kept, err := s.measure("/later", 1, load/2)
		if err != nil {
			return err
		}
		bare, err := bareWrite(filepath.Join(dir, "bare"), load/2)
		if err != nil {
			return err
		}
		added := kept.median() - base.median()
		ratios = append(ratios, float64(added)/float64(bare))
		fmt.Printf("1 connection: forgetful %v, deliver later %v, a bare append and fdatasync %v\n", base.median(), kept.median(), bare)
	}
	fmt.Printf("1 connection: time added by a capture, in bare durable writes, %.2f (wanted: 2.5 or less)\n", median(ratios))
	return nil
}

// now compares deliver now with the rate that the CRM's latency allows.
func now(s *server, rounds int, load time.Duration, _ string) error {
	const connections, latency = 256, 150 * time.Millisecond
	allowed := connections / latency.Seconds()
	if _, err := s.measure("/now", connections, load); err != nil { // opens the account's window
		return err
	}
	var ratios []float64
	for range rounds {
		got, err := s.measure("/now", connections, load)
		if err != nil {
			return err
		}
		ratios = append(ratios, got.perSecond()/allowed)
		fmt.Printf("%d connections, CRM takes %v: deliver now %6.0f/s of %.0f/s %5.1f µs cpu, median answer %v\n",
			connections, latency, got.perSecond(), allowed, micros(got.cpuPerRequest()), got.median())
	}
	fmt.Printf("%d connections: share of the rate that the CRM's latency allows, %.3f (wanted: 0.97 or more)\n", connections, median(ratios))
	return nil
}

// bareWrite measures an append of a record's size with an fdatasync.
func bareWrite(path string, load time.Duration) (time.Duration, error) {
	file, err := os.Create(path) //nolint:gosec // in our own folder
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }()
	record := make([]byte, 512)
	var took []time.Duration
	for start := time.Now(); time.Since(start) < load; {
		before := time.Now()
		if _, err := file.Write(record); err != nil {
			return 0, err
		}
		if err := datasync(file); err != nil {
			return 0, err
		}
		took = append(took, time.Since(before))
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

var errNoAnswer = errors.New("server: no answer in time")

func waitFor(ctx context.Context, ready func() bool) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !ready() {
		select {
		case <-ctx.Done():
			return errNoAnswer
		case <-ticker.C:
		}
	}
	return nil
}
