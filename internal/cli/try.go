package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/internal/trial"
)

// Rehearse opens the handlers of a config that Inspect has read, without starting them.
type Rehearse func(c *check.Config) (Stage, error)

// Stage has the handlers of a config that is not started.
type Stage interface {
	// Page returns the page at an address of the site, as the site would serve it.
	Page(ctx context.Context, address string) (trial.Page, error)
	// Try runs a post through the handlers. The form's handler fills in the record.
	Try(ctx context.Context, post trial.Post, record *trial.Record) error
	Close() error
}

// tryOptions are the flags of the try command.
type tryOptions struct {
	form, path, page, body, contentType string
	headers                             []string
	send                                bool
	url                                 string
	wait                                time.Duration
}

func (t *terminal) tryCommand(inspect Inspect, rehearse Rehearse) *cobra.Command {
	var o tryOptions
	cmd := &cobra.Command{
		Use:   "try [<input>=<value>...]",
		Short: "Shows what would become of a post, and sends nothing",
		Long: `
Runs a post through the handlers of the config as Caddy would, and prints what
is read, what each input becomes and why, where each value of the lead comes
from, what the visitor would have to correct, how each guard judges the post,
and the request that TeleCRM would get. It sends nothing, asks no service, and
does not need a running Caddy. Tokens and secrets are never printed.

The post is one of these; values given as arguments replace those of a page:
  <input>=<value>  as a browser sends them
  --from-page P    what the form on a page sends by itself: hidden inputs,
                   checked boxes, selected options. P is a path of the site,
                   such as /contact, a file below its root, or a URL
  --body FILE      a saved post, or - for standard input: a body as browsers
                   send and copy it (URL-encoded, multipart or JSON), lines of
                   <input>=<value>, or a HAR file, whose headers count too

Name the form with --form, or the path that it posts to with --path, unless the
config or the page has only one.

With --send it then sends the post to the running Caddy, with the word TEST
before the name or another text, and follows the lead until TeleCRM has it.
It uses the form's own guards, outbox and pace, as a visitor's post does.

Exits with 0 if the lead would be sent or, with --send, was delivered; with 1
if it would not be, or was refused or parked; with 2 if nothing could be tried;
with 3 if the lead still waits in the outbox, which keeps trying.`,
		Example: `  caddy telecrm try --path /enquire name="Ravi Menon" phone=8123456789
  caddy telecrm try --from-page /contact phone=8123456789
  caddy telecrm try --body saved.har
  caddy telecrm try --send --from-page /contact name="Ravi Menon" phone=8123456789`,
		RunE: t.runs(func(ctx context.Context, args []string) error {
			err := t.try(ctx, o, inspect, rehearse, args)
			if _, exits := errors.AsType[*ExitError](err); err == nil || exits {
				return err
			}
			return t.notChecked(err)
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&o.form, "form", "", "Name of the form")
	flags.StringVar(&o.path, "path", "", "Path that the form posts to")
	flags.StringVar(&o.page, "from-page", "", "Page with the form, whose own values are posted: a path, a file or a URL")
	flags.StringVar(&o.body, "body", "", "File with a saved post, or - for standard input")
	flags.StringVar(&o.contentType, "content-type", "", "Content-Type of --body (default: detected)")
	flags.StringArrayVar(&o.headers, "header", nil, `Header of the post, such as "Origin: https://other.example"; may be repeated`)
	flags.BoolVar(&o.send, "send", false, "Send one lead, marked as a test, through the running Caddy")
	flags.StringVar(&o.url, "url", "", "With --send, the address of the running site (default: this machine, as in the config)")
	flags.DurationVar(&o.wait, "wait", 30*time.Second, "With --send, how long to follow the lead")
	return cmd
}

func (t *terminal) try(ctx context.Context, o tryOptions, inspect Inspect, rehearse Rehearse, args []string) (err error) {
	c, err := inspect(t.config, t.adapter)
	if err != nil {
		return err
	}
	stage, err := rehearse(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stage.Close()) }()
	entry := &entrance{options: o, config: c, stage: stage, stdin: t.in}
	drafted, err := entry.draft(ctx, args)
	if err != nil {
		return err
	}
	shown, err := explain(ctx, stage, drafted)
	if err != nil {
		return err
	}
	if !o.send {
		return t.printTrial(shown)
	}
	return t.sendTrial(ctx, o, c.JSON, stage, drafted, shown)
}

// explain tries the post.
func explain(ctx context.Context, stage Stage, d *draftedPost) (*check.Trial, error) {
	post, err := d.post()
	if err != nil {
		return nil, err
	}
	record := &trial.Record{Seal: d.hasSeal}
	if err := stage.Try(ctx, post, record); err != nil {
		return nil, err
	}
	f := d.form
	if record.Form != f.Name {
		i := slices.IndexFunc(d.site.Forms, func(other *check.Form) bool { return other.Name == record.Form })
		if i < 0 {
			return nil, fmt.Errorf("post: the form %s takes it, not %s", record.Form, f.Name)
		}
		f = d.site.Forms[i]
	}
	return check.Explain(f, post, record), nil
}

// siteForm is a form of the config with its site.
type siteForm struct {
	site *check.Site
	form *check.Form
}

// chooseForm finds the form with the name, the first one that takes the path, or the only one.
func chooseForm(c *check.Config, name, path string) (siteForm, error) {
	var forms []siteForm
	var names []string
	for _, site := range c.Sites {
		for _, f := range site.Forms {
			forms, names = append(forms, siteForm{site, f}), append(names, f.Name)
		}
	}
	switch {
	case name != "" && path != "":
		return siteForm{}, errors.New("form: give either --form or --path, got both")
	case name == "" && path == "" && len(forms) == 1:
		return forms[0], nil
	case name == "" && path == "":
		return siteForm{}, fmt.Errorf("form: the config has several; name one with --form: %s", strings.Join(names, ", "))
	}
	i := slices.IndexFunc(forms, func(c siteForm) bool { return c.isAsked(name, path) })
	if i < 0 {
		asked := fmt.Sprintf("takes the path %q", path)
		if name != "" {
			asked = fmt.Sprintf("has the name %q", name)
		}
		return siteForm{}, fmt.Errorf("form: none %s; the forms are %s", asked, strings.Join(names, ", "))
	}
	return forms[i], nil
}

// isAsked reports whether the form has the name or takes the path, as far as they are given.
func (c siteForm) isAsked(name, path string) bool {
	return (name == "" || c.form.Name == name) && (path == "" || c.form.Takes("", path))
}

// readHeaders reads headers such as "Origin: https://other.example".
func readHeaders(lines []string) (http.Header, error) {
	header := make(http.Header)
	for _, line := range lines {
		name, value, found := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !found || name == "" {
			return nil, fmt.Errorf("header: must be <name>: <value>, got %q", line)
		}
		header.Add(name, strings.TrimSpace(value))
	}
	return header, nil
}
