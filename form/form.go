// Package form reads the body of an HTML form POST and returns its values in the order sent.
//
// It reads the two encodings that browsers send, application/x-www-form-urlencoded and
// multipart/form-data, and the flat JSON object that scripts send instead. It enforces [Limits]
// while it reads, skips files, and returns valid UTF-8 without NUL. Errors never quote the body, so
// they can be logged.
package form

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"
)

// Errors that [Read] wraps, one for each HTTP status that a server answers with.
var (
	// ErrUnsupported means that [Read] does not know the content type or the charset. The HTTP
	// status for it is 415.
	ErrUnsupported = errors.New("unsupported form encoding")
	// ErrTooLarge means that the body exceeds one of the [Limits]. The HTTP status for it is 413.
	ErrTooLarge = errors.New("form too large")
	// ErrMalformed means that the body is not valid for its content type, was cut short, or
	// contains NUL. The HTTP status for it is 400.
	ErrMalformed = errors.New("malformed form")
)

// Limits bound what [Read] accepts, inclusively. A limit that is zero or less means the one of
// [DefaultLimits].
type Limits struct {
	Body   int64 // bytes of the whole body, as sent; the escape of a byte in a URL-encoded one counts as one
	Fields int   // number of values, counting repeated names and files
	Name   int   // bytes of one name, decoded
	Value  int   // bytes of one value, decoded
	Text   int   // bytes of all names and values, decoded; a body with files may be larger

	// Characters bounds one value in Unicode code points, in addition to Value, so that the limit is
	// the same in every script. A line break is one. 0 means that only Value counts.
	Characters int

	// Needs reports whether the form has a use for an input. Without it, every input is needed. An
	// input that is not needed is skipped if it exceeds a limit, because its visitor may not even
	// know of it. Needed and other values are counted separately.
	Needs func(input string) bool
}

// MostCharacters is how many characters a value of an ordinary contact form has at most, in any
// script.
const MostCharacters = 10_000

// DefaultLimits returns the limits of an ordinary contact form: a body of 64 KiB, 1000 fields,
// names of 1 KiB, values of [MostCharacters] characters, and 256 KiB of text.
func DefaultLimits() Limits {
	return Limits{
		Body: 64 << 10, Fields: 1000, Name: 1 << 10, Value: MostCharacters * utf8.UTFMax, Characters: MostCharacters, Text: 256 << 10,
	}
}

// isLong reports whether a value exceeds the limits. The characters of text that is not UTF-8 are
// counted when it has been decoded.
func (l Limits) isLong(value string) bool {
	return len(value) > l.Value ||
		l.Characters > 0 && len(value) > l.Characters && utf8.ValidString(value) && characters(value) > l.Characters
}

// characters counts the characters of a value. The two that browsers post for a line break are one, as
// for a maxlength.
func characters(text string) int { return utf8.RuneCountInString(text) - strings.Count(text, "\r\n") }

func (l Limits) withDefaults() Limits {
	defaults := DefaultLimits()
	if l.Body <= 0 {
		l.Body = defaults.Body
	}
	if l.Fields <= 0 {
		l.Fields = defaults.Fields
	}
	if l.Name <= 0 {
		l.Name = defaults.Name
	}
	if l.Value <= 0 {
		l.Value, l.Characters = defaults.Value, defaults.Characters
	}
	if l.Text <= 0 {
		l.Text = max(defaults.Text, l.Value)
	}
	return l
}

// Entry is one name and one value of a form.
type Entry struct {
	Name, Value string
}

// Form holds the values of a form in the order sent.
type Form struct {
	Entries []Entry  // one for each value; names may repeat and are never empty
	Files   []string // names of inputs whose files were skipped, each once; empty file inputs do not count

	// Skipped holds inputs that exceed a limit and are not needed, to be shown again but not
	// forwarded. Beyond [MaxKept] bytes, their values and then they themselves are left out.
	Skipped []Entry

	// TooLong and Cut are set only with [ErrTooLarge].
	TooLong []string // names of inputs with too long a value, one for each such value
	Cut     bool     // Entries and Files are incomplete

	// Charset names the encoding that some of the form was in. It is empty if all of it was UTF-8.
	Charset string
}

// Values returns the values of name in the order sent. It returns nil if name was not sent.
func (f *Form) Values(name string) []string {
	var values []string
	for _, entry := range f.Entries {
		if entry.Name == name {
			values = append(values, entry.Value)
		}
	}
	return values
}

// First returns the first value of name, or the empty string if name was not sent.
func (f *Form) First(name string) string {
	for _, entry := range f.Entries {
		if entry.Name == name {
			return entry.Value
		}
	}
	return ""
}

// Has reports whether name was sent, even with an empty value.
func (f *Form) Has(name string) bool {
	for _, entry := range f.Entries {
		if entry.Name == name {
			return true
		}
	}
	return false
}

// SkippedNames returns the names of the inputs that were skipped, each once.
func (f *Form) SkippedNames() []string {
	var names []string
	seen := make(map[string]bool)
	for _, entry := range f.Skipped {
		if !seen[entry.Name] {
			names = append(names, entry.Name)
		}
		seen[entry.Name] = true
	}
	return names
}

// Read reads body in the encoding of contentType, the request's Content-Type header. It reads at
// most limits.Body bytes from body, and one more to detect a longer one; of a URL-encoded body, at most
// three times as many, because of its escapes. A part of a multipart body
// is skipped if its disposition has more than 8 KiB. The caller must undo any Content-Encoding.
//
// A form is in UTF-8 unless its Content-Type, its input _charset_ or one of its parts declares
// another encoding. Text that is not UTF-8 and has no declared encoding is read in the encoding
// that pageCharset returns, or else in windows-1252. pageCharset gets the form as read in
// windows-1252, and may be nil. JSON is read in the encoding that its Content-Type declares, or
// else in UTF-8.
//
// The error wraps [ErrUnsupported], [ErrTooLarge] or [ErrMalformed]. When reading body fails, the
// error wraps that failure instead, with two exceptions: an [*http.MaxBytesError] comes with
// ErrTooLarge, and a multipart body that fails with [io.ErrUnexpectedEOF] counts as cut short,
// which is ErrMalformed.
//
// With ErrTooLarge, and with no other error, Read also returns an incomplete form, to show the
// visitor again. It must not be submitted. The form includes values that are too long, up to
// [MaxKept] bytes of them in total. It ends before the first value that exceeds MaxKept or the
// number of fields, or whose name is too long. If the body is too large, it ends with what was read
// of the value that the limit falls in; a JSON object then does not have any values.
func Read(body io.Reader, contentType string, limits Limits, pageCharset func(*Form) string) (*Form, error) {
	mediaType, params, err := parseMediaType(contentType)
	if err != nil {
		return nil, fmt.Errorf("%w: the content type is missing or invalid", ErrUnsupported)
	}
	declared, err := declaredCharset(params)
	if err != nil {
		return nil, err
	}
	if body == nil {
		body = http.NoBody
	}
	limits = limits.withDefaults()
	src := new(source)
	if mediaType == "application/x-www-form-urlencoded" {
		src.r = &escapedBody{r: body, limit: limits.Body}
	} else {
		src.r = http.MaxBytesReader(nil, io.NopCloser(body), limits.Body)
	}
	c := &collector{limits: limits, declared: declared, spare: MaxKept}
	switch mediaType {
	case "application/x-www-form-urlencoded":
		err = c.readURLEncoded(src)
	case "multipart/form-data":
		err = c.readMultipart(src, params["boundary"])
	case "application/json":
		err = c.readJSON(src)
	default:
		err = fmt.Errorf("%w: the content type is not supported; send application/x-www-form-urlencoded, multipart/form-data or application/json", ErrUnsupported)
	}
	if err != nil && !errors.Is(err, ErrTooLarge) {
		return nil, err
	}
	c.form.Cut = err != nil
	decodeErr := c.decode(pageCharset)
	return &c.form, cmp.Or(err, decodeErr, c.tooLong)
}

// MaxKept is how many bytes of too long values [Read] returns with [ErrTooLarge], and how many of
// skipped inputs with any form.
const MaxKept = 256 << 10

const (
	// mostSkipped bounds the number of skipped inputs. Reading a larger form would take too long.
	mostSkipped = 10_000
	// skippedCost is about the memory that a skipped input takes in addition to its text.
	skippedCost = 64
)

// maxMediaType bounds a Content-Type header. Those in use have fewer than 150 bytes.
const maxMediaType = 1024

// parseMediaType is [mime.ParseMediaType], except that an invalid parameter drops only itself and
// those after it. A multipart boundary may come before it.
func parseMediaType(header string) (mediaType string, params map[string]string, err error) {
	if len(header) > maxMediaType {
		return "", nil, mime.ErrInvalidMediaParameter
	}
	for {
		mediaType, params, err = mime.ParseMediaType(header)
		end := strings.LastIndexByte(header, ';')
		if !errors.Is(err, mime.ErrInvalidMediaParameter) || end < 0 {
			return mediaType, params, err
		}
		header = header[:end]
	}
}

// source is the bounded body. It remembers why it failed, because a parser that gets half a line
// may report the line instead of the failure.
type source struct {
	r   io.Reader
	err error // the first failure, never io.EOF
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF && s.err == nil {
		s.err = err
	}
	return n, err
}

func readError(err error) error {
	if tooLong, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fmt.Errorf("%w: body exceeds %d bytes: %w", ErrTooLarge, tooLong.Limit, err)
	}
	return fmt.Errorf("reading the form body: %w", err)
}

// collector collects a form's entries within limits.
type collector struct {
	limits   Limits
	declared charset // of the whole body
	fields   int     // needed values
	others   int     // values that are not needed
	text     int     // bytes of the values that are kept, and their names
	form     Form    // before decoding
	sent     []sentValue
	tooLong  error // set when a value is too long; reading goes on
	kept     int   // bytes of values that are too long
	skipped  int   // number of skipped inputs
	spare    int   // bytes that skipped inputs may still take
}

// sentValue is the value of an entry before decoding.
type sentValue struct {
	text string
	own  charset // that the value declares
}

// add keeps a value. It skips values without a name: browsers do not send them and no field can be
// mapped to them.
func (c *collector) add(name, value string) error {
	if name == "" {
		return nil
	}
	return c.keep(name, value, charset{})
}

// needs reports whether the form has a use for an input. The name may not be decoded yet; such
// inputs are judged later.
func (c *collector) needs(name string) bool {
	return c.limits.Needs == nil || !utf8.ValidString(name) || c.limits.Needs(name)
}

// count counts a value. It reports whether there is room for it, and returns an error if the form
// must not be read on.
func (c *collector) count(isNeeded bool) (hasRoom bool, err error) {
	counted := &c.others
	if isNeeded {
		counted = &c.fields
	}
	if *counted < c.limits.Fields {
		*counted++
		return true, nil
	}
	if isNeeded {
		return false, fmt.Errorf("%w: more than %d values", ErrTooLarge, c.limits.Fields)
	}
	return false, nil
}

// skip records an input that is not needed, as far as there is room.
func (c *collector) skip(name, value string) error {
	if err := c.countSkipped(); err != nil {
		return err
	}
	if checkText(name) != nil || checkText(value) != nil {
		value = ""
	}
	name = cut(name, c.limits.Name)
	name = strings.ReplaceAll(name, "\x00", "")
	if len(name)+len(value)+skippedCost > c.spare {
		value = ""
	}
	if cost := len(name) + len(value) + skippedCost; cost <= c.spare {
		c.spare -= cost
		c.form.Skipped = append(c.form.Skipped, Entry{Name: name, Value: value})
	}
	return nil
}

func (c *collector) countSkipped() error {
	if c.skipped == mostSkipped {
		return fmt.Errorf("%w: more than %d values beyond the limits", ErrTooLarge, mostSkipped)
	}
	c.skipped++
	return nil
}

// cut returns the beginning of text with at most n bytes, without half a character.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// keep keeps a value, which may declare its own encoding.
func (c *collector) keep(name, value string, own charset) error {
	isNeeded := c.needs(name)
	hasRoom, err := c.count(isNeeded)
	if err != nil {
		return err
	}
	isTooMuch := len(name)+len(value) > c.limits.Text-c.text
	if !isNeeded && (!hasRoom || isTooMuch || len(name) > c.limits.Name || c.limits.isLong(value)) {
		return c.skip(name, value)
	}
	if err := c.checkName(name); err != nil {
		return err
	}
	switch {
	case c.limits.isLong(value):
		c.tooLong = c.valueTooLong()
		c.form.TooLong = append(c.form.TooLong, name)
		if c.kept += len(value); c.kept > MaxKept {
			return c.tooLong
		}
	case isTooMuch:
		return fmt.Errorf("%w: the names and values have more than %d bytes", ErrTooLarge, c.limits.Text)
	default:
		c.text += len(name) + len(value)
	}
	if err := checkText(value); err != nil {
		if c.limits.isLong(value) {
			return nil
		}
		return err
	}
	c.form.Entries = append(c.form.Entries, Entry{Name: name, Value: value})
	c.sent = append(c.sent, sentValue{text: value, own: own})
	return nil
}

// longestValue returns how many bytes of a value to read: as many as may be kept, and one more to
// detect a longer one.
func (c *collector) longestValue() int64 {
	most := max(int64(c.limits.Value), int64(MaxKept-c.kept))
	return most + min(1, math.MaxInt64-most)
}

func (c *collector) valueTooLong() error {
	if c.limits.Characters > 0 {
		return fmt.Errorf("%w: a value has more than %d characters", ErrTooLarge, c.limits.Characters)
	}
	return fmt.Errorf("%w: a value has more than %d bytes", ErrTooLarge, c.limits.Value)
}

func (c *collector) nameTooLong() error {
	return fmt.Errorf("%w: a name has more than %d bytes", ErrTooLarge, c.limits.Name)
}

func (c *collector) checkName(name string) error {
	if len(name) > c.limits.Name {
		return c.nameTooLong()
	}
	return checkText(name)
}

func checkText(text string) error {
	if strings.IndexByte(text, 0) >= 0 {
		return fmt.Errorf("%w: a name or value contains a NUL character", ErrMalformed)
	}
	return nil
}
