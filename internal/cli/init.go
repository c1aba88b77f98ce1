package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/setup"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// The environment variables with the account, as in the config that init writes.
const (
	envToken      = "TELECRM_TOKEN" //nolint:gosec // not a token
	envEnterprise = "TELECRM_ENTERPRISE_ID"
)

// initOptions are the flags of the init command.
type initOptions struct {
	root, url, site, country, timeZone, baseURL, output string
	offline                                             bool
}

func (t *terminal) initCommand() *cobra.Command {
	var o initOptions
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Writes a config for the forms of a site",
		Long: `
Reads the HTML pages below --root, or with --url those of a running site, and
writes a Caddyfile with a telecrm block for each form. Inputs are matched to
the fields of your workspace by name, label, type and autocomplete. What is not
certain is said in a comment, and so is what to change in the pages.

To match the fields of your workspace, set TELECRM_TOKEN and
TELECRM_ENTERPRISE_ID in the environment, as for Caddy itself. Otherwise, only
name, phone and email are matched.

It prints the Caddyfile, or writes it to --output, which must not exist. With
"-" it prints it too.`,
		Args: takesNone,
		RunE: t.runs(func(ctx context.Context, _ []string) error { return t.init(ctx, o) }),
	}
	flags := cmd.Flags()
	flags.StringVar(&o.root, "root", "", "Folder of the site")
	flags.StringVar(&o.url, "url", "", "Address of a running site to read instead of files")
	flags.StringVar(&o.site, "site", ":8080", "Address of the site in the config, such as www.example.com")
	flags.StringVar(&o.country, "country", "", "ISO 3166 code of the country of phone numbers, such as IN")
	flags.StringVar(&o.timeZone, "time-zone", "", "IANA name of the time zone of dates, such as Asia/Kolkata")
	flags.StringVar(&o.baseURL, "base-url", "", "Root of the Sync API (default "+telecrm.DefaultBaseURL+")")
	flags.StringVarP(&o.output, "output", "o", "", "File to write, which must not exist")
	flags.BoolVar(&o.offline, "offline", false, "Do not ask TeleCRM")
	return cmd
}

func (t *terminal) init(ctx context.Context, o initOptions) error {
	if o.root == "" && o.url == "" {
		return errors.New("init: needs the folder of the site, --root, or the address of a running one, --url")
	}
	if err := o.check(); err != nil {
		return err
	}
	options := setup.Options{
		Site: check.Site{Root: o.root, Try: []string{"{path}.html", "{path}"}}, URL: o.url,
		Address: o.site, Country: o.country, TimeZone: o.timeZone, BaseURL: o.baseURL,
	}
	if o.root != "" {
		if _, err := os.ReadDir(o.root); err != nil {
			return fmt.Errorf("root: reading the folder: %w", err)
		}
		options.Site.Files = os.DirFS(o.root)
	}
	var err error
	if options.Workspace, err = t.askWorkspace(ctx, o); err != nil {
		return err
	}
	text, err := setup.Caddyfile(ctx, options)
	if err != nil {
		return err
	}
	if o.output == "" || o.output == "-" {
		_, err = io.WriteString(t.out, text)
		return err
	}
	return writeNew(o.output, text)
}

// check returns an error for a value that Caddy would refuse in the config, and for an output that
// exists.
func (o initOptions) check() error {
	if _, err := os.Lstat(o.output); err == nil && o.output != "-" {
		return errOutputExists(o.output)
	}
	addresses := strings.FieldsFunc(o.site, func(r rune) bool { return r == ' ' || r == ',' })
	isNot := func(address string) bool {
		return strings.ContainsAny(address, "\t\r\n\"`#") || strings.Count(address, "{") != strings.Count(address, "}")
	}
	if len(addresses) == 0 || slices.ContainsFunc(addresses, isNot) {
		return fmt.Errorf("--site: must be an address such as www.example.com, got %q", o.site)
	}
	if o.country != "" {
		if err := fieldtype.CheckCountry(o.country); err != nil {
			return fmt.Errorf("--country: %w", err)
		}
	}
	if _, err := time.LoadLocation(o.timeZone); err != nil || strings.EqualFold(o.timeZone, "local") {
		return fmt.Errorf("--time-zone: unknown time zone %q; write an IANA name such as Asia/Kolkata", o.timeZone)
	}
	if o.baseURL != "" {
		if err := telecrm.CheckBaseURL(o.baseURL); err != nil {
			return fmt.Errorf("--base-url: %w", err)
		}
	}
	return nil
}

// askWorkspace asks TeleCRM for the fields and actions, or returns nil without an account.
func (t *terminal) askWorkspace(ctx context.Context, o initOptions) (*check.Workspace, error) {
	token, enterprise := os.Getenv(envToken), os.Getenv(envEnterprise)
	if o.offline || token == "" || enterprise == "" {
		if !o.offline {
			_, _ = fmt.Fprintf(t.err,
				"Only name, phone and email are matched: set %s and %s to read the fields of your workspace.\n", envToken, envEnterprise)
		}
		return nil, nil
	}
	client, err := telecrm.New(telecrm.Config{Token: telecrm.Token(token), EnterpriseID: enterprise, BaseURL: o.baseURL})
	if err != nil {
		return nil, err
	}
	w := &check.Workspace{Fields: client.FieldDefinitions(ctx)}
	if failure := w.Fields.Failure; failure != nil {
		return nil, fmt.Errorf("asking TeleCRM for the fields: %s; try --offline", failure.Reason())
	}
	if w.Actions = client.ActionDefinitions(ctx); !w.Actions.OK() {
		_, _ = fmt.Fprintf(t.err,
			"The actions of the workspace could not be read (%s), so none is used.\n", w.Actions.Failure.Reason())
	}
	return w, nil
}

func errOutputExists(name string) error {
	return fmt.Errorf("output: %s exists, and init does not overwrite it; name another file", name)
}

// writeNew writes a file that must not exist.
func writeNew(name, text string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644) //nolint:gosec // a config is for everybody to read
	if errors.Is(err, os.ErrExist) {
		return errOutputExists(name)
	}
	if err != nil {
		return fmt.Errorf("output: creating file: %w", err)
	}
	_, err = io.WriteString(f, text)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("output: writing file: %w", err)
	}
	return nil
}
