package page

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

//go:embed own.css
var ownStyle string

// mark adds the errors to the page: in the title, in a summary that gets the focus, and at each
// control.
func (r *rendering) mark() error {
	for _, t := range r.focused {
		r.touch(t).remove("autofocus")
	}
	var items strings.Builder
	seen := make(map[string]bool)
	for _, p := range r.Problems {
		if p.Input == "" {
			said := r.say(p, "", r.words.SayFault)
			items.WriteString("<li" + r.langAttributes(said) + ">" + said.html() + "</li>")
			continue
		}
		if seen[p.Input] {
			continue
		}
		seen[p.Input] = true
		g := r.groupOf(p.Input)
		if g == nil {
			return ErrNoControl
		}
		said := r.say(p, r.nameOf(g), r.words.SayFault)
		r.giveName(g, p.Fallback)
		items.WriteString(`<li><a href="` + escape(r.linkTo(r.idOf(g.controls[0].tag, "field"))) + `"` + r.langAttributes(said) + `>` + said.html() + "</a></li>")
		if !r.IsDraft { // a draft does not have a summary with the whole text
			said = r.say(p, r.nameOf(g), r.words.SayShort)
		}
		r.markGroup(g, said)
	}
	if r.IsDraft {
		return nil
	}
	heading := r.words.heading(r.Code, len(r.Problems))
	if r.titleAt >= 0 {
		r.markTitle()
	}
	r.openDetails()
	r.putSummary(heading, items.String())
	return nil
}

// markTitle begins the title with the word for an error, which screen readers say first, unless it
// is there already or nothing is wrong.
func (r *rendering) markTitle() {
	prefix := r.words.Text(ErrorPrefix) + " "
	title := r.source[r.titleAt:min(r.titleAt+2*len(prefix), len(r.source))]
	if (r.Code == codeConfirm && len(r.Problems) == 0) || strings.HasPrefix(plainSpaces(title), plainSpaces(prefix)) {
		return
	}
	r.insert(r.titleAt, escape(prefix))
}

// plainSpaces replaces non-breaking spaces, as before a French colon, with plain ones.
func plainSpaces(words string) string {
	return strings.NewReplacer("\u00a0", " ", "\u202f", " ").Replace(words)
}

// summaryAt returns the position of the summary: at the beginning of the main content, before the
// form, or at the beginning of the page. It must be visible when the page opens. In doubt it is not.
func (r *rendering) summaryAt() (at int, isTop bool) {
	switch {
	case r.InForm:
		return r.form.tag.end, false
	case r.main != nil && r.mainPlace.isOpen():
		return r.main.end, false
	case r.form.around.isOpen() || r.bodyAt < 0:
		return r.form.tag.start, false
	}
	return r.bodyAt, true
}

// openDetails opens the details elements that the form is in.
func (r *rendering) openDetails() {
	for p := r.form.around; p != nil; p = p.around {
		if p.details != nil {
			r.touch(p.details).set("open", "")
		}
	}
}

// putSummary inserts the summary.
func (r *rendering) putSummary(heading Phrase, items string) {
	var s strings.Builder
	at, isTop := r.summaryAt()
	s.WriteString(`<div class="telecrm-summary" tabindex="-1" autofocus`)
	if isTop {
		s.WriteString(" data-top")
	}
	if r.Into != nil && r.links != "" {
		s.WriteString(` data-hx-boost="false"`) // htmx would load the page anew
	}
	s.WriteString(`><div role="alert"><h2` + r.levelAt(at) + r.langAttributes(heading) + ">" + heading.html() + "</h2>")
	if r.Code != "" {
		message := r.words.SayForm(r.Code, r.Detail)
		s.WriteString("<p" + r.langAttributes(message) + ">" + message.html() + "</p>")
	}
	if r.Note != "" {
		s.WriteString("<p>" + escape(r.Note) + "</p>")
	}
	if items != "" {
		s.WriteString("<ul>" + items + "</ul>")
	}
	s.WriteString("</div></div>")
	style := r.style()
	if r.styleAt >= 0 && style != "" {
		r.insert(r.styleAt, style)
		style = ""
	}
	r.insert(at, style+s.String())
}

// levelAt returns the attribute that gives the summary's heading a level between those of its
// neighbours, so that no level is skipped. It returns "" for the usual level.
func (r *rendering) levelAt(at int) string {
	const usual = 2
	level := usual
	behind := slices.IndexFunc(r.headings, func(h heading) bool { return h.at >= at })
	if behind >= 0 {
		level = max(level, r.headings[behind].level-1)
	} else {
		behind = len(r.headings)
	}
	if behind > 0 {
		level = min(level, r.headings[behind-1].level+1)
	}
	if level == usual {
		return ""
	}
	return fmt.Sprintf(` aria-level="%d"`, level)
}

// style returns the style element, or "" if a policy forbids it.
func (r *rendering) style() string {
	nonce, allowed := inlineStyle(r.Policies, r.metaPolicies)
	switch {
	case !allowed:
		return ""
	case nonce != "" && r.Into != nil:
		return "" // the page that is there has another nonce
	case nonce != "":
		return `<style nonce="` + escape(nonce) + `">` + ownStyle + "</style>"
	}
	return "<style>" + ownStyle + "</style>"
}

// group contains the controls of one name.
type group struct {
	name     string
	controls []*control
	fieldset *fieldset // the fieldset with only these controls, if they are choices
}

func (r *rendering) groupOf(name string) *group {
	g := &group{name: name}
	for _, c := range r.controls {
		if c.name == name && c.isShown() {
			g.controls = append(g.controls, c)
		}
	}
	if len(g.controls) == 0 {
		return nil
	}
	first := g.controls[0]
	isGroup := first.kind == aRadio || first.kind == aCheckbox && len(g.controls) > 1
	if isGroup && first.fieldset != nil && !first.fieldset.mixed {
		g.fieldset = first.fieldset
	}
	return g
}

// langAttributes returns the attributes for one of our texts: the language if it is not the page's,
// and the direction, because authors of right-to-left pages may not have declared it. The language
// of operator texts is unknown, and likely the page's.
func (r *rendering) langAttributes(p Phrase) string {
	switch {
	case p.Lang == "":
		return ""
	case r.lang != "" && !alike(r.lang, p.Lang):
		return ` lang="` + escape(p.Lang) + `" dir="` + p.Dir + `"`
	case p.Dir == "rtl":
		return ` dir="rtl"`
	}
	return ""
}

// markGroup inserts the error of the controls and refers to it in their descriptions.
func (r *rendering) markGroup(g *group, said Phrase) {
	id := r.freshID("error")
	prefix := r.words.Say(ErrorPrefix)
	around, before, behind := r.langAttributes(said), "", ""
	if prefix.Lang != said.Lang {
		around, before, behind = "", r.langAttributes(prefix), r.langAttributes(said)
	}
	message := `<span class="telecrm-error" id="` + id + `"` + around + "><span" + before + ">" + prefix.html() + "</span> <span" + behind + ">" + said.html() + "</span></span>"
	slot := r.slotFor(g.name)
	switch {
	case slot != nil:
		if slot.has("hidden") {
			r.touch(slot).remove("hidden")
		}
		r.insert(slot.end, message)
	case g.fieldset != nil && g.fieldset.endAt >= 0:
		r.insert(g.fieldset.endAt, message)
	case g.fieldset != nil:
		r.insert(g.fieldset.tag.end, message)
	case g.controls[0].label != nil:
		r.insert(g.controls[0].label.tag.start, message)
	default:
		r.insert(g.controls[0].tag.start, message)
	}
	if g.fieldset != nil {
		r.touch(g.fieldset.tag).add("aria-describedby", id)
	}
	for _, c := range g.controls {
		if g.fieldset == nil {
			r.touch(c.tag).add("aria-describedby", id)
		}
		// Radio buttons do not support this state (ARIA 1.2, section 6.6.4).
		if c.kind != aRadio {
			r.touch(c.tag).set("aria-invalid", "true")
		}
	}
}

// slotFor returns the author's element for the error of an input. It is in the form, or outside of
// all forms.
func (r *rendering) slotFor(input string) *tag {
	var found *tag
	for _, s := range r.slots[input] {
		switch {
		case s.form == r.form:
			return s.tag
		case s.form == nil && found == nil:
			found = s.tag
		}
	}
	return found
}

// idOf returns the tag's id. If an earlier element has the same id, the tag gets a new one.
func (r *rendering) idOf(t *tag, kind string) string {
	id, _ := t.get("id")
	if id == "" || r.first[id] != t.start {
		id = r.freshID(kind)
		r.touch(t).set("id", id)
	}
	return id
}

// say returns the message about p in the words that say finds; name is the page's name for the
// control.
func (r *rendering) say(p Problem, name string, say func(Fault) Phrase) Phrase {
	if p.Message != "" {
		return Said(p.Message)
	}
	f := p.Fault
	if f.Label == "" {
		f.Label = name
	}
	if f.Label == "" {
		f.Label = p.Fallback
	}
	return say(f)
}

// nameOf returns the page's name for the controls: the legend of a group, or the label of a
// control.
func (r *rendering) nameOf(g *group) string {
	if g.fieldset != nil {
		return cleanLabel(g.fieldset.legend.String())
	}
	c := g.controls[0]
	if c.kind == aRadio || c.kind == aCheckbox && len(g.controls) > 1 {
		return "" // the label names only one choice
	}
	if id, _ := c.tag.get("id"); id != "" && r.first[id] == c.tag.start {
		if l := r.labelFor(id); l != nil {
			return cleanLabel(l.words.String())
		}
	}
	if c.label != nil && !c.label.tag.has("for") {
		return cleanLabel(c.label.words.String())
	}
	if name, _ := c.tag.get("aria-label"); name != "" {
		return cleanLabel(name)
	}
	if by, _ := c.tag.get("aria-labelledby"); by != "" {
		return cleanLabel(r.textOf(strings.Fields(by)[0]))
	}
	placeholder, _ := c.tag.get("placeholder")
	return cleanLabel(placeholder)
}

// cleanLabel returns a label on one line without its mark for required fields.
func cleanLabel(words string) string {
	words = strings.Join(strings.Fields(words), " ")
	for {
		shorter := strings.TrimRight(words, " *:：")
		for _, mark := range [...]string{"(required)", "(optional)"} {
			if cut := len(shorter) - len(mark); cut >= 0 && strings.EqualFold(shorter[cut:], mark) {
				shorter = shorter[:cut]
			}
		}
		if shorter == words {
			return strings.ToValidUTF8(words, "")
		}
		words = shorter
	}
}

// textOf returns the text of the first element with the id.
func (r *rendering) textOf(id string) string {
	at, has := r.first[id]
	if !has {
		return ""
	}
	tokens := html.NewTokenizer(strings.NewReader(r.source[at:]))
	tokens.Next()
	element, _ := tokens.TagName()
	name := string(element)
	var words strings.Builder
	for depth := 1; depth > 0 && words.Len() < maxWords; {
		switch tokens.Next() {
		case html.ErrorToken:
			return words.String()
		case html.StartTagToken:
			if inner, _ := tokens.TagName(); string(inner) == name {
				depth++
			}
		case html.EndTagToken:
			if inner, _ := tokens.TagName(); string(inner) == name {
				depth--
			}
		case html.TextToken:
			words.Write(tokens.Text())
			words.WriteByte(' ')
		case html.SelfClosingTagToken, html.CommentToken, html.DoctypeToken:
		}
	}
	return words.String()
}
