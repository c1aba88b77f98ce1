package console

// The dimensions of the chart, in SVG units.
const (
	chartHeight = 224
	chartLeft   = 72 // room for the numbers
	slotWidth   = 28
	chartRight  = chartLeft + hours*slotWidth
	chartWidth  = chartRight + 24 // room for half a label
	chartTop    = 12
	chartBottom = 190 // of the bars; the hours are below
	barWidth    = 8
)

// chart has the positions of everything in the chart.
type chart struct {
	Width, Height, Left, Right, Bottom int
	Lines                              []chartLine
	Slots                              []chartSlot
	// Empty reports that all counts are 0.
	Empty bool
}

// chartLine is a horizontal line and its value.
type chartLine struct{ Y, Value int }

// chartSlot has the bars of one hour.
type chartSlot struct {
	Hour
	Bars []chartBar
	// Middle is the position of the hour's label, if Labeled.
	Middle  int
	Labeled bool
}

// chartBar is a bar of a series: accepted, delivered or parked.
type chartBar struct {
	Series              string
	X, Y, Width, Height int
}

// labelEvery is the number of hours between two labels.
const labelEvery = 4

func newChart(c Counted) chart {
	most := 0
	for _, h := range c.Hours {
		most = max(most, h.Accepted, h.Delivered, h.Parked)
	}
	top := niceTop(most)
	height := func(n int) int {
		if n == 0 {
			return 0
		}
		return max(2, n*(chartBottom-chartTop)/top)
	}
	ch := chart{
		Width: chartWidth, Height: chartHeight, Left: chartLeft, Right: chartRight, Bottom: chartBottom,
		Lines: []chartLine{{chartTop, top}, {(chartTop + chartBottom) / 2, top / 2}, {chartBottom, 0}},
		Empty: most == 0,
	}
	for i, h := range c.Hours {
		left := chartLeft + i*slotWidth
		slot := chartSlot{Hour: h, Middle: left + slotWidth/2, Labeled: (len(c.Hours)-1-i)%labelEvery == 0}
		for j, series := range []struct {
			name  string
			count int
		}{{"accepted", h.Accepted}, {"delivered", h.Delivered}, {"parked", h.Parked}} {
			tall := height(series.count)
			slot.Bars = append(slot.Bars, chartBar{
				Series: series.name, X: left + 2 + j*(barWidth+1), Y: chartBottom - tall, Width: barWidth, Height: tall,
			})
		}
		ch.Slots = append(ch.Slots, slot)
	}
	return ch
}

// niceTop returns a round, even number for the top of a chart whose tallest bar is n.
func niceTop(n int) int {
	for unit := 1; ; unit *= 10 {
		for _, factor := range []int{2, 4, 6, 10} {
			if top := unit * factor; top >= n {
				return top
			}
		}
	}
}
