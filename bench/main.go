//go:build linux

// Command bench compares a handler that keeps nothing with durable leads, in requests per second and
// in processor time per lead, everything included until the CRM has it. All rows are measured in
// turns, because the machine may be shared.
//
//	go run ./bench [-rounds 5] [-seconds 3] [-dir FOLDER] [-against BINARY] [-profile FOLDER]
//
// The outbox is created in FOLDER, by default a temporary folder. With -against, another build of
// ./bench/caddy is measured in turns with this one, as server 2. With -profile, a profile of each row
// is written after the last round.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 5, "interleaved rounds of each measurement")
	seconds := flag.Int("seconds", 3, "seconds of load in each")
	dir := flag.String("dir", "", "folder for the outbox")
	against := flag.String("against", "", "another build of ./bench/caddy to compare with")
	profile := flag.String("profile", "", "folder for profiles of the processor time")
	flag.Parse()
	if err := run(*rounds, time.Duration(*seconds)*time.Second, *dir, *against, *profile); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(rounds int, load time.Duration, parent, against, profile string) error {
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
	to, stop, err := startCRMs()
	defer stop()
	if err != nil {
		return err
	}
	binaries := []string{binary}
	if against != "" {
		binaries = append(binaries, against)
	}
	var servers []*server
	for n, binary := range binaries {
		folder := filepath.Join(dir, fmt.Sprintf("server%d", n+1))
		if err := os.Mkdir(folder, 0o700); err != nil {
			return err
		}
		s, err := startCaddy(binary, folder, to)
		if err != nil {
			return err
		}
		defer s.stop()
		servers = append(servers, s)
	}
	b := newBench(rows(to), servers, load)
	for round := range rounds + 1 {
		if err := b.round(round > 0); err != nil { // the first is a warm-up
			return err
		}
	}
	if err := b.print(); err != nil || profile == "" {
		return err
	}
	return b.profileAll(profile)
}

func startCRMs() (to crms, stop func(), err error) {
	var fast, slow, refusing error
	to.fast, fast = startCRM(0, false)
	to.slow, slow = startCRM(150*time.Millisecond, false)
	to.refusing, refusing = startCRM(0, true)
	return to, func() {
		for _, c := range []*crm{to.fast, to.slow, to.refusing} {
			if c != nil {
				c.close()
			}
		}
	}, errors.Join(fast, slow, refusing)
}
