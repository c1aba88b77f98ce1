package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/leadwire/caddy-telecrm/fieldtype"
	"github.com/leadwire/caddy-telecrm/internal/suggest"
	"github.com/leadwire/caddy-telecrm/page"
)

// checkSite reads the site's pages and compares their forms with the handlers. It returns the inputs
// that each handler's forms have.
func (r *Report) checkSite(ctx context.Context, site *Site) (map[*Form]map[string]bool, error) {
	s := &survey{Report: r, site: site, evidence: make(map[*Form]*evidence)}
	for _, f := range site.Forms {
		s.evidence[f] = newEvidence()
	}
	if site.Files == nil && site.running == nil {
		return nil, nil
	}
	if err := (walk{site, s.readPage, s.skip}).run(ctx); err != nil {
		advice := "if they are elsewhere on this machine, give their folder with --root"
		if site.running != nil {
			advice = "if it does not have a home page, give the address of another page with --url"
		}
		return nil, fmt.Errorf("reading the pages of the site in %s: %w; %s", site.place(), withoutPath(err), advice)
	}
	if site.running != nil && site.running.proxy != "" {
		s.checkProxy(site, "the site's answers have the header "+site.running.proxy)
	}
	inputs := make(map[*Form]map[string]bool)
	for _, f := range site.Forms {
		inputs[f] = s.evidence[f].inputs
		s.snapshot.Forms[f.Name] = s.evidence[f].snapshot()
		s.checkHandler(f)
		s.checkTarget(ctx, f, "thank_you", f.ThankYou, ThankYouMissing)
		s.checkTarget(ctx, f, "form_page", f.FormPage, FormPageMissing)
		s.checkTarget(ctx, f, "errors", f.ErrorsRedirect, ErrorPageMissing)
	}
	return inputs, nil
}

// survey is a walk through the pages of a site.
type survey struct {
	*Report
	site *Site

	mu       sync.Mutex
	evidence map[*Form]*evidence
}

// skip notes a file or a folder that cannot be read.
func (s *survey) skip(name string, err error) {
	s.Report.mu.Lock()
	defer s.Report.mu.Unlock()
	if len(s.Unverified) < maxFindings {
		s.unverified(fmt.Sprintf("%s: %v", name, err))
	}
}

func (s *survey) readPage(p sourcePage) {
	s.count(&s.Pages)
	if page.HasForm(p.source) {
		s.checkPage(p)
	}
}

// count adds one to a counter of the report.
func (s *survey) count(n *int) {
	s.Report.mu.Lock()
	defer s.Report.mu.Unlock()
	*n++
}

// in returns a place in the page.
func (p sourcePage) in(at page.Position) Place { return Place{p.name, at.Line, at.Column} }

// checkPage checks the forms of a page.
func (s *survey) checkPage(p sourcePage) {
	inventory, err := page.ReadInventory(p.source, p.contentType)
	at := p.in(page.Position{Line: 1, Column: 1})
	switch {
	case errors.Is(err, page.ErrEncoding):
		s.add(Finding{
			Code: PageEncoding, Place: at, Remedy: `<meta charset="utf-8">`,
			Message: "the page is not in the encoding that it declares; save it as UTF-8, and say so in its head",
		})
		return
	case err != nil || !p.isWhole:
		s.add(Finding{
			Code: PageTooLarge, Place: at,
			Message: "the page is larger than 1 MiB, or nested too deeply, so it cannot be shown again with errors",
		})
	}
	if err != nil {
		return
	}
	if inventory.IsLost {
		s.add(Finding{
			Code: PageNesting, Place: at,
			Message: "the page has wrongly nested elements in or around SVG, MathML, a select or a template; forms after them are not checked, and cannot be shown again with errors",
		})
	}
	for _, f := range inventory.Forms {
		s.count(&s.Forms)
		(&formCheck{survey: s, page: p, base: inventory.Base, html: f}).run()
	}
}

// urls returns the paths under which the site serves the file.
func (site *Site) urls(name string) []string {
	at := "/" + name
	paths := []string{at}
	if dir, base := path.Split(at); slices.Contains(site.index(), base) {
		paths = append(paths, dir)
	}
	for _, try := range site.Try {
		before, after, found := strings.Cut(try, "{path}")
		if !found || after == "" || before != "" && before != "/" || !strings.HasSuffix(at, after) {
			continue
		}
		if shorter := strings.TrimSuffix(at, after); shorter != "" {
			paths = append(paths, shorter)
		}
	}
	return paths
}

func (site *Site) index() []string {
	if len(site.Index) == 0 {
		return []string{"index.html", "index.txt"} // of file_server
	}
	return site.Index
}

// has reports whether the site has a page for the path.
func (site *Site) has(ctx context.Context, at string) bool {
	if site.running != nil {
		return site.running.has(ctx, at)
	}
	if site.hasFile(at) {
		return true
	}
	return slices.ContainsFunc(site.Try, func(try string) bool {
		return site.hasFile(strings.ReplaceAll(try, "{path}", strings.TrimSuffix(at, "/")))
	})
}

// hasFile reports whether there is a file, or a folder with an index.
func (site *Site) hasFile(at string) bool {
	name := strings.TrimPrefix(path.Clean("/"+at), "/")
	if name == "" {
		name = "."
	}
	info, err := fs.Stat(site.Files, name)
	if err != nil || !info.IsDir() {
		return err == nil
	}
	return slices.ContainsFunc(site.index(), func(index string) bool {
		info, err := fs.Stat(site.Files, path.Join(name, index))
		return err == nil && !info.IsDir()
	})
}

// answers reports whether something other than a file may answer.
func (site *Site) answers(at string) bool { return site.Answers != nil && site.Answers(at) }

// place says where the pages were read.
func (site *Site) place() string {
	if site.running != nil {
		return site.running.start.String()
	}
	return site.Root
}

// isOwn reports whether the host is one of the site's. The empty host is.
func (site *Site) isOwn(host string) bool {
	if site.running != nil && strings.EqualFold(host, site.running.start.Hostname()) {
		return true
	}
	return host == "" || slices.ContainsFunc(site.Hosts, func(own string) bool { return strings.EqualFold(own, host) })
}

// checkTarget reports a page that a line of the form names and that does not exist.
func (s *survey) checkTarget(ctx context.Context, f *Form, word, target string, code Code) {
	u, err := url.Parse(target)
	if err != nil || target == "" || strings.Contains(u.Path, "{") || !s.site.isOwn(u.Hostname()) || u.Scheme != "" && u.Host == "" {
		return
	}
	at := u.Path
	if at == "" {
		at = "/"
	}
	if s.site.has(ctx, at) || s.site.answers(at) {
		return
	}
	remedy := s.similarPage(word, at)
	if _, by, found := strings.Cut(remedy, word+" "); found && target == at && word != "errors" {
		s.fixLine(f, word, target, by)
	}
	s.add(Finding{
		Code: code, Form: f.Name, Place: f.at(word), Remedy: remedy,
		Message: fmt.Sprintf("%s leads to %s, but the site in %s does not have such a page", word, at, s.site.place()),
	})
}

// similarPage returns the line with the path of an existing page that is spelled like the missing
// one.
func (s *survey) similarPage(word, at string) string {
	if s.site.Files == nil {
		return ""
	}
	dir := strings.TrimPrefix(path.Dir(at), "/")
	if dir == "" {
		dir = "."
	}
	entries, err := fs.ReadDir(s.site.Files, dir)
	if err != nil {
		return ""
	}
	var names []string
	for _, entry := range entries {
		if name := path.Join(path.Dir(at), entry.Name()); isPage(name) || entry.IsDir() && !isSkipped(entry.Name()) {
			names = append(names, name)
			names = append(names, s.site.urls(strings.TrimPrefix(name, "/"))...)
		}
	}
	if nearest := nearestName(at, names); nearest != "" {
		if word == "errors" {
			word = "errors redirect"
		}
		return word + " " + suggest.Quote(nearest)
	}
	return ""
}

// evidence collects what the pages have for a handler.
type evidence struct {
	forms     int
	isRebuilt bool
	inputs    map[string]bool
	kinds     map[string]string // the types of the inputs; "textarea" for one
	missing   map[string]Place  // the first form without a required input
	lacking   map[string]int    // how many forms lack it
	offered   map[string]map[string]bool
	isFree    map[string]bool  // visitors type the input's value
	firstAt   map[string]Place // of each input
	pages     pageInputs
}

func newEvidence() *evidence {
	return &evidence{
		inputs: make(map[string]bool), kinds: make(map[string]string), missing: make(map[string]Place), lacking: make(map[string]int),
		offered: make(map[string]map[string]bool), isFree: make(map[string]bool), firstAt: make(map[string]Place),
	}
}

// checkHandler reports what follows from all pages together.
func (s *survey) checkHandler(f *Form) {
	e := s.evidence[f]
	if e.forms == 0 {
		s.add(Finding{
			Code: HandlerWithoutForm, Form: f.Name, Place: f.Place, Remedy: s.htmlOf(f),
			Message: s.noForm(),
		})
		return
	}
	for _, v := range f.values() {
		for _, input := range inputsOf(v) {
			s.checkInput(f, v, input)
		}
		if v.field != nil {
			s.checkOffered(f, v)
		}
	}
}

// noForm says that no form posts to a handler.
func (s *survey) noForm() string {
	pages := fmt.Sprintf("the %d pages", s.Pages)
	switch s.Pages {
	case 0:
		return fmt.Sprintf("the site in %s does not have any pages, so no form posts to this handler; compare the folder with the root of the config", s.site.place())
	case 1:
		pages = "the only page"
	}
	return fmt.Sprintf("no form on %s in %s posts to this handler; compare the action of the HTML form with the matcher", pages, s.site.place())
}

// checkInput reports an input that no form has, or that some do not have although it is required.
func (s *survey) checkInput(f *Form, v value, input string) {
	e := s.evidence[f]
	isRequired := f.requires(v)
	severity := Warning
	if isRequired && !e.isRebuilt {
		severity = Error
	}
	switch at, isMissing := e.missing[input]; {
	case !e.inputs[input]:
		names := slices.Sorted(maps.Keys(e.inputs))
		nearest := cmp.Or(nearestName(input, v.candidates(f, names)), e.onlyOf(v, f))
		remedy := controlFor(v, input, isRequired)
		if nearest != "" {
			remedy = v.withInput(input, nearest)
			s.fixInput(f, v, input, e.certain(v, f, input, names))
		}
		s.add(Finding{
			Code: InputNotInForm, Severity: severity, Form: f.Name, Place: f.at(v.line), Remedy: remedy,
			Message: fmt.Sprintf("no form has an input %s; %s", input, oneOf(nearest, names)),
		})
	case isRequired && isMissing:
		s.add(Finding{
			Code: RequiredInputMissing, Severity: severity, Form: f.Name, Place: at, Also: e.lacking[input] - 1,
			Remedy:  controlFor(v, input, true),
			Message: fmt.Sprintf("this form does not have the input %s, which is required, so all of its posts are refused", input),
		})
	}
}

// askingTypes are the types of inputs that ask for values of one type alone.
var askingTypes = map[fieldtype.Type]string{fieldtype.Phone: "tel", fieldtype.Email: "email", fieldtype.Website: "url", fieldtype.Date: "date"}

// onlyOf returns the only input that no line takes and that asks for such a value, or "".
func (e *evidence) onlyOf(v value, f *Form) string {
	kind := askingTypes[v.kind]
	if kind == "" {
		return ""
	}
	found := ""
	for name, of := range e.kinds {
		switch {
		case of != kind || f.takes(name):
		case found != "":
			return ""
		default:
			found = name
		}
	}
	return found
}

// withInput writes the value's line with another input.
func (v value) withInput(input, by string) string {
	if v.set != nil {
		set := *v.set
		set.Value = strings.ReplaceAll(set.Value, "{form."+input+"}", "{form."+by+"}")
		v.set = &set
	} else {
		v = v.from(by)
	}
	return v.written(v.name, v.kind)
}

// from returns the field with another input.
func (v value) from(input string) value {
	field := *v.field
	field.Input = input
	v.field = &field
	return v
}

// requires reports whether the form refuses posts without the value.
func (f *Form) requires(v value) bool {
	isIdentifier := f.Account != nil && v.action == "" && v.name == f.Account.Identifier
	return isIdentifier || v.field != nil && v.field.Required && v.field.Default == ""
}

// checkOffered reports options that the form accepts and no control offers.
func (s *survey) checkOffered(f *Form, v value) {
	e, input := s.evidence[f], inputOf(v.field)
	if len(v.field.Options) == 0 || !e.inputs[input] || e.isFree[input] || e.isRebuilt {
		return
	}
	for _, option := range v.field.Options {
		if !e.offered[input][foldOption(option)] {
			s.add(Finding{
				Code: OptionNotOffered, Form: f.Name, Place: f.at(v.line), Remedy: "<option>" + escape(option) + "</option>",
				Message: fmt.Sprintf("%s accepts %q, but no form offers it", input, option),
			})
		}
	}
}

// foldOption makes spellings of an option equal that the form takes for the same.
func foldOption(option string) string {
	return strings.ToLower(strings.Join(strings.Fields(option), " "))
}
