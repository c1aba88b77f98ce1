// Package command registers the command `caddy telecrm`.
package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/internal/checkconfig"
	"github.com/leadwire/caddy-telecrm/internal/cli"
	"github.com/leadwire/caddy-telecrm/internal/rehearse"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "telecrm",
		Usage: "<command> [--address <admin endpoint>] [--config <path> [--adapter <name>]] [--json]",
		Short: cli.Short,
		Long:  cli.Long,
		CobraFunc: func(cmd *cobra.Command) {
			cli.Build(cmd, connectAdmin, inspect, rehearsal, openOutbox)
			passExitStatus(cmd)
		},
	})
}

// passExitStatus makes the commands below cmd exit with the status of a [cli.ExitError].
func passExitStatus(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		passExitStatus(sub)
	}
	run := cmd.RunE
	if run == nil {
		return
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		err := run(cmd, args)
		exit, exits := errors.AsType[*cli.ExitError](err)
		if !exits || exit.Status == 1 { // the status of any error
			return err
		}
		// Only Caddy itself can make the error that its main function understands.
		return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) { return exit.Status, nil })(cmd, args)
	}
}

// connectAdmin returns a client for the admin endpoint, which it finds in the flags as Caddy's own
// commands do. Unlike Caddy's helper, the client reuses its connection: a long list takes thousands
// of requests.
func connectAdmin(address, config, adapter string) (*adminapi.Client, error) {
	address, err := findAdmin(address, config, adapter)
	if err != nil {
		return nil, fmt.Errorf("finding the admin endpoint: %w", err)
	}
	parsed, err := caddy.ParseNetworkAddress(address)
	hasPort := parsed.StartPort > 0 && parsed.PortRangeSize() == 1 && !strings.Contains(parsed.Host, "/")
	if err != nil || !parsed.IsUnixNetwork() && !hasPort {
		return nil, fmt.Errorf("admin endpoint: must be an address such as localhost:2019 or unix//run/caddy/admin.sock, got %q", address)
	}
	network, dialed, origin := parsed.Network, parsed.JoinHostPort(0), "http://"+parsed.JoinHostPort(0)
	if parsed.IsUnixNetwork() {
		// The socket's permissions may follow the path.
		dialed, _, _ = strings.Cut(parsed.Host, "|")
		origin = "http://127.0.0.1"
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, dialed)
		},
	}
	return &adminapi.Client{
		HTTP: &http.Client{Transport: transport}, Origin: origin, WithoutOrigin: parsed.IsUnixNetwork(), Address: address,
	}, nil
}

// findAdmin returns the address of the admin endpoint.
func findAdmin(address, config, adapter string) (string, error) {
	var adapted []byte
	if address == "" && config != "" {
		var err error
		if adapted, err = loadQuietly(config, adapter); err != nil {
			return "", err
		}
		var content struct {
			Admin caddy.AdminConfig `json:"admin"`
		}
		if err := json.Unmarshal(adapted, &content); err == nil && content.Admin.Disabled {
			return "", fmt.Errorf("%s says admin off, so its Caddy does not have one; give it an address, such as admin localhost:2019", config)
		}
	}
	address, err := caddycmd.DetermineAdminAPIAddress(address, adapted, config, adapter)
	if err != nil {
		return "", err
	}
	return caddy.NewReplacer().ReplaceOrErr(address, true, true)
}

// loadQuietly loads a config without Caddy's log lines, which cron would mail.
func loadQuietly(config, adapter string) ([]byte, error) {
	_, logger, buffered := caddy.BufferedLog()
	defer func() {
		buffered.FlushTo(zap.NewNop())
		caddy.UnbufferDefaultLogger(logger)
	}()
	adapted, _, _, err := caddycmd.LoadConfig(config, adapter)
	return adapted, err
}

// inspect reads the config as `caddy run` does.
func inspect(config, adapter string) (*check.Config, error) {
	adapted, file, adapter, err := caddycmd.LoadConfig(config, adapter)
	if refused := refusedLines(err); refused != nil {
		return nil, refused
	}
	if err != nil {
		return nil, fmt.Errorf("loading the config: %w", err)
	}
	if len(adapted) == 0 {
		return nil, errors.New("config: there is none here; give it with --config, or run this in the folder of a Caddyfile")
	}
	var source []byte
	if adapter == "caddyfile" && file != "-" {
		if source, err = os.ReadFile(file); err != nil { //nolint:gosec // the operator names the file
			return nil, fmt.Errorf("loading the config: %w", err)
		}
	}
	c, err := checkconfig.Read(adapted, file, source)
	if err != nil {
		return nil, err
	}
	c.JSON = adapted
	return c, nil
}

// rehearsal opens the handlers of a config that inspect has read.
func rehearsal(c *check.Config) (cli.Stage, error) { return rehearse.Open(c.JSON) }

// Caddy's errors about lines of a Caddyfile, of which the last ends the text.
var (
	adapting = regexp.MustCompile(`^(?:adapting config using \w+: )?(?:parsing caddyfile tokens for '\w+': )?`)
	refused  = regexp.MustCompile(`(?s)^(.+?), at ([^,;]+?):(\d+)(?: import chain [^;]*)?(?:; and |$)`)
)

// refusedLines returns the error of [check] for lines that Caddy refuses, or nil.
func refusedLines(err error) check.RefusedError {
	if err == nil {
		return nil
	}
	text := err.Error()
	text = text[len(adapting.FindString(text)):]
	var lines check.RefusedError
	for text != "" {
		found := refused.FindStringSubmatch(text)
		if found == nil {
			return nil
		}
		number, err := strconv.Atoi(found[3])
		if err != nil {
			return nil
		}
		lines = append(lines, check.RefusedLine{Place: check.Place{File: found[2], Line: number}, Message: found[1]})
		text = text[len(found[0]):]
	}
	return lines
}
