package check

import (
	"cmp"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strings"

	"github.com/leadwire/caddy-telecrm/form"
	"github.com/leadwire/caddy-telecrm/internal/suggest"
	"github.com/leadwire/caddy-telecrm/page"
)

// formCheck checks one form of a page.
type formCheck struct {
	*survey
	page sourcePage
	base string
	html page.InventoryForm
}

// target is an address that a form posts to.
type target struct {
	action string // as written
	host   string
	path   string
}

func (c *formCheck) place() Place { return c.page.in(c.html.At) }

func (c *formCheck) run() {
	if c.html.Method == "dialog" {
		return
	}
	c.checkService()
	targets := c.targets()
	switch f := c.handler(targets); {
	case c.html.Posts && f == nil:
		c.checkUnhandled(targets)
	case c.html.Posts:
		c.compare(f)
	case f == nil || !c.shares(f):
		c.checkNotSent()
	default:
		c.fixTag(c.html.At, "method", "post")
		c.add(Finding{
			Code: WrongMethod, Form: f.Name, Place: c.place(), Remedy: `method="post"`,
			Message: fmt.Sprintf("the form is sent with %s, so it never becomes a lead, and what visitors type is shown in the address bar; it must be sent as a POST", methodOf(c.html)),
		})
		c.compare(f)
	}
}

// compare compares the form with a handler.
func (c *formCheck) compare(f *Form) {
	c.note(f)
	(&comparedForm{formCheck: c, form: f}).run()
}

func methodOf(f page.InventoryForm) string {
	if f.Method == "" {
		return "GET, the default"
	}
	return strings.ToUpper(f.Method)
}

// targets resolves the form's actions, for each path of the page.
func (c *formCheck) targets() []target {
	var list []target
	for _, action := range c.html.Actions {
		action = strings.TrimSpace(action)
		for _, at := range c.page.urls {
			if t, ok := c.resolve(action, at); ok && !slices.Contains(list, t) {
				list = append(list, t)
			}
		}
	}
	return list
}

// resolve reports false if the action is not an address that a form can post to.
func (c *formCheck) resolve(action, at string) (target, bool) {
	here := &url.URL{Path: at}
	if action == "" {
		return target{action, "", at}, true
	}
	base, err := url.Parse(strings.TrimSpace(c.base))
	if err != nil {
		return target{}, false
	}
	u, err := url.Parse(action)
	if err != nil {
		return target{}, false
	}
	u = here.ResolveReference(base).ResolveReference(u)
	if u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https" {
		return target{action, u.Scheme + ":", ""}, true
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return target{action, strings.ToLower(u.Hostname()), u.Path}, true
}

// handler returns the form of the config that answers a post to any of the targets: the first that
// takes one. It returns nil if there is none.
func (c *formCheck) handler(targets []target) *Form {
	for _, f := range c.site.Forms {
		if slices.ContainsFunc(targets, func(t target) bool { return c.takes(f, t) }) {
			return f
		}
	}
	return nil
}

// takes reports whether the form of the config takes a post to the target.
func (c *formCheck) takes(f *Form, t target) bool {
	return c.site.isOwn(t.host) && t.path != "" && f.Takes(t.host, t.path)
}

// shares reports whether the form has an input that the handler takes.
func (c *formCheck) shares(f *Form) bool {
	return slices.ContainsFunc(c.html.Controls, func(control page.InventoryControl) bool { return control.Name != "" && f.takes(control.Name) })
}

// note collects what the form has.
func (c *formCheck) note(f *Form) {
	names := make(map[string]bool)
	for _, control := range c.html.Controls {
		if control.Name != "" && !control.IsDisabled {
			names[control.Name] = true
		}
	}
	c.survey.mu.Lock()
	defer c.survey.mu.Unlock()
	e := c.evidence[f]
	e.forms++
	e.isRebuilt = e.isRebuilt || c.html.Rebuilt != ""
	e.pages.add(c.page.path(), names)
	for name := range names {
		e.inputs[name] = true
	}
	for _, control := range c.html.Controls {
		at := c.page.in(control.At)
		if first, has := e.firstAt[control.Name]; names[control.Name] && (!has || at.compare(first) < 0) {
			e.firstAt[control.Name], e.kinds[control.Name] = at, control.Type
		}
	}
	for _, v := range f.values() {
		if !f.requires(v) {
			continue
		}
		for _, input := range inputsOf(v) {
			if names[input] {
				continue
			}
			e.lacking[input]++
			if at, has := e.missing[input]; !has || c.place().compare(at) < 0 {
				e.missing[input] = c.place()
			}
		}
	}
	for _, control := range c.html.Controls {
		c.noteValues(e, control)
	}
}

// noteValues collects the values that visitors can choose.
func (c *formCheck) noteValues(e *evidence, control page.InventoryControl) {
	values, isChoice := choices(control)
	if !isChoice {
		e.isFree[control.Name] = e.isFree[control.Name] || control.IsShown || control.Element == "input"
		return
	}
	if e.offered[control.Name] == nil {
		e.offered[control.Name] = make(map[string]bool)
	}
	for _, value := range values {
		if len(e.offered[control.Name]) < maxFindings {
			e.offered[control.Name][foldOption(value)] = true
		}
	}
}

// choices returns the values that a visitor can choose with the control.
func choices(control page.InventoryControl) (values []string, isChoice bool) {
	switch {
	case control.Element == "select":
		return control.Options, true
	case control.Type == "radio" || control.Type == "checkbox":
		return []string{control.Value}, true
	}
	return nil, false
}

// checkUnhandled reports a form that posts to where nothing takes it.
func (c *formCheck) checkUnhandled(targets []target) {
	for _, t := range targets {
		if _, known := serviceOf(t.host); known || c.html.Rebuilt != "" && t.action == "" {
			return
		}
		if c.site.isOwn(t.host) && c.site.answers(t.path) {
			return
		}
	}
	for _, t := range targets {
		switch {
		case t.host == "mailto:":
			c.add(Finding{
				Code: ActionWithoutHandler, Place: c.place(), Remedy: c.actionOfHandler(t),
				Message: "the form opens the visitor's mail program instead of posting to a handler; many visitors do not have one",
			})
			return
		case c.isSibling(t.host):
			c.fixAction(t.path)
			c.add(Finding{
				Code: OtherHost, Place: c.place(), Remedy: fmt.Sprintf("action=%q", t.path),
				Message: fmt.Sprintf("the form posts to %s, but the site is %s; a redirect between them loses what was typed, so leave the host out", t.host, strings.Join(c.site.Hosts, ", ")),
			})
			return
		case !c.site.isOwn(t.host): // somebody else's form
			return
		}
	}
	if len(targets) == 0 {
		return
	}
	first := targets[0]
	c.fixAction(onlyNear(first.path, c.pathsOfHandlers()))
	c.add(Finding{
		Code: ActionWithoutHandler, Place: c.place(), Remedy: c.actionOfHandler(first),
		Message: fmt.Sprintf("the form posts to %s, but no handler takes that, and file_server answers 405", first.path),
	})
}

// checkNotSent reports a form for enquiries that is not sent anywhere, as in many templates. A script
// may send it, unless the page does not have one for it.
func (c *formCheck) checkNotSent() {
	action := ""
	if c.html.HasAction {
		action = strings.TrimSpace(c.html.Actions[0])
	}
	if c.html.Rebuilt != "" || action != "" && action != "#" || !c.looksLikeEnquiry() {
		return
	}
	nameless := 0
	for _, control := range c.html.Controls {
		if control.IsShown && control.Name == "" {
			nameless++
		}
	}
	message := "the form does not post to a handler, so unless a script sends it, its enquiries are lost"
	switch {
	case nameless == 1:
		message += "; 1 of its controls needs a name too"
	case nameless > 1:
		message += fmt.Sprintf("; %d of its controls need a name too", nameless)
	}
	c.add(Finding{Code: FormNotSent, Place: c.place(), Remedy: c.postToHandler(), Message: message})
}

// postToHandler returns the attributes for a form that posts to the handler it is for, or to a new
// one.
func (c *formCheck) postToHandler() string {
	return fmt.Sprintf(`method="post" action="%s"`, escape(cmp.Or(c.ownHandler(), "/enquire")))
}

// ownHandler returns the path of the handler that the form seems to be for: the site's only one, the
// only one for its page, or the only one that takes one of its inputs; or "".
func (c *formCheck) ownHandler() string {
	takesPage := func(f *Form) bool {
		return slices.ContainsFunc(c.page.urls, func(at string) bool { return f.Takes("", at) })
	}
	for _, isFor := range []func(*Form) bool{func(*Form) bool { return true }, takesPage, c.shares} {
		var paths []string
		for _, f := range c.site.Forms {
			if path := f.PathFor(); path != "" && isFor(f) {
				paths = append(paths, path)
			}
		}
		if len(paths) == 1 {
			return paths[0]
		}
	}
	return ""
}

// looksLikeEnquiry reports whether the form asks for a message, or for a way to answer and something
// else.
func (c *formCheck) looksLikeEnquiry() bool {
	asks, answers := 0, false
	for _, control := range c.html.Controls {
		switch {
		case control.IsSecret, control.Type == "search":
			return false
		case !control.IsShown || control.IsDisabled:
			continue
		case control.Element == "textarea":
			return true
		}
		answers = answers || control.Type == "email" || control.Type == "tel"
		asks++
	}
	return answers && asks > 1
}

// isSibling reports whether the host is www. and one of the site's hosts, or the other way round.
func (c *formCheck) isSibling(host string) bool {
	return host != "" && !c.site.isOwn(host) && slices.ContainsFunc(c.site.Hosts, func(own string) bool {
		own = strings.ToLower(own)
		return host == "www."+own || own == "www."+host
	})
}

// fixAction corrects the action of the form.
func (c *formCheck) fixAction(by string) {
	if by != "" && c.html.HasAction && len(c.html.Actions) == 1 {
		c.fixTag(c.html.At, "action", by)
	}
}

// pathsOfHandlers lists the handlers that are named by their path.
func (c *formCheck) pathsOfHandlers() []string {
	var names []string
	for _, f := range c.site.Forms {
		if path := f.namedPath(); path != "" {
			names = append(names, path)
		}
	}
	return names
}

// actionOfHandler returns the block for the form, or the action if a handler is spelled like it.
func (c *formCheck) actionOfHandler(t target) string {
	if nearest := nearestName(t.path, c.pathsOfHandlers()); nearest != "" {
		return fmt.Sprintf("action=%q", nearest)
	}
	if t.path == "" {
		return c.postToHandler()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "telecrm %s {\n", suggest.Quote(t.path))
	for _, control := range c.html.Controls {
		if control.Name != "" && control.IsShown && !control.IsSecret && control.Type != "file" && !form.IsForService(control.Name) {
			if line := "\tfield " + suggest.Quote(control.Name) + "\n"; !strings.Contains(b.String(), line) {
				b.WriteString(line)
			}
		}
	}
	b.WriteString("\tthank_you /thank-you\n}")
	return b.String()
}

// htmlOf returns a form that the handler takes.
func (s *survey) htmlOf(f *Form) string {
	if path := f.namedPath(); path != "" {
		return fmt.Sprintf(`<form method="post" action=%q>`, path)
	}
	return ""
}

func escape(text string) string { return html.EscapeString(text) }
