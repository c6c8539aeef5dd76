// The three loop nests of a layer (taps, groups, pixels) and the activation address of the current place in them.
//
// Each nest has its own counters and its own running offset; `step_*` moves a nest on by one, and from its last place
// to its first. The order in which they are stepped is not decided here but in engine_issue. A tap is (source, kernel
// row, kernel column, word), the word innermost. The address is
//   base[source] + pixel offset + kernel offset + ((group * group_step) >> group_shift) + word
// and leaves two clocks after the counters stand there, with `in_map` low where the place is padding.
module engine_address #(
    parameter ADDRESS = 20
) (
    input                clk,
    input                start,        // to the first place of every nest
    input                step_tap,
    input                step_group,
    input                step_pixel,
    input                two_sources,
    input  [7:0]         kernel_height,
    input  [7:0]         kernel_width,
    input  [15:0]        count,
    input  [15:0]        groups,
    input  [15:0]        out_height,
    input  [15:0]        out_width,
    input  [15:0]        in_height,
    input  [15:0]        in_width,
    input  [15:0]        in_words,
    input  [3:0]         stride,
    input  [3:0]         padding,
    input  [ADDRESS-1:0] base0,
    input  [ADDRESS-1:0] base1,
    input  [11:0]        group_step,
    input  [3:0]         group_shift,
    input  [ADDRESS-1:0] kernel_row_step,
    input  [ADDRESS-1:0] row_step,
    input  [ADDRESS-1:0] column_step,
    input  [ADDRESS-1:0] start_offset,
    output               tap_first,
    output               tap_last,
    output               group_last,
    output               pixel_last,
    output reg [ADDRESS-1:0] address,
    output reg           in_map,
    output reg           source
);

  // Taps.
  reg [15:0] word;
  reg [7:0] kernel_x, kernel_y;
  reg side;  // which source
  reg [ADDRESS-1:0] row_offset, column_offset;  // of the kernel's row, and of its column in that row

  wire word_last = word == count - 16'd1;
  wire kernel_x_last = kernel_x == kernel_width - 8'd1;
  wire kernel_y_last = kernel_y == kernel_height - 8'd1;
  wire side_last = side | ~two_sources;
  wire [ADDRESS-1:0] next_row = row_offset + kernel_row_step;

  assign tap_first = (word == 16'd0) & (kernel_x == 8'd0) & (kernel_y == 8'd0) & ~side;
  assign tap_last = word_last & kernel_x_last & kernel_y_last & side_last;

  always @(posedge clk) begin
    if (start) begin
      word <= 16'd0;
      kernel_x <= 8'd0;
      kernel_y <= 8'd0;
      side <= 1'b0;
      row_offset <= {ADDRESS{1'b0}};
      column_offset <= {ADDRESS{1'b0}};
    end else if (step_tap) begin
      word <= word_last ? 16'd0 : word + 16'd1;
      if (word_last) begin
        kernel_x <= kernel_x_last ? 8'd0 : kernel_x + 8'd1;
        column_offset <= column_offset + {{(ADDRESS - 16) {1'b0}}, in_words};
        if (kernel_x_last) begin
          kernel_y <= kernel_y_last ? 8'd0 : kernel_y + 8'd1;
          row_offset <= next_row;
          column_offset <= next_row;
          if (kernel_y_last) begin
            side <= ~side_last;
            row_offset <= {ADDRESS{1'b0}};
            column_offset <= {ADDRESS{1'b0}};
          end
        end
      end
    end
  end

  // Groups.
  reg [15:0] group;
  reg [ADDRESS+7:0] group_sum;  // group * group_step

  assign group_last = group == groups - 16'd1;

  always @(posedge clk) begin
    if (start | (step_group & group_last)) begin
      group <= 16'd0;
      group_sum <= {(ADDRESS + 8) {1'b0}};
    end else if (step_group) begin
      group <= group + 16'd1;
      group_sum <= group_sum + {{(ADDRESS - 4) {1'b0}}, group_step};
    end
  end

  wire [ADDRESS+7:0] group_offset = group_sum >> group_shift;

  // Pixels. `top` and `left` are the window's corner in the source, negative in the padding.
  reg [15:0] x, y;
  reg [16:0] top, left;
  reg [ADDRESS-1:0] line_offset, pixel_offset;

  wire x_last = x == out_width - 16'd1;
  wire y_last = y == out_height - 16'd1;
  wire [16:0] edge_place = -{13'd0, padding};
  wire [ADDRESS-1:0] next_line = line_offset + row_step;

  assign pixel_last = x_last & y_last;

  always @(posedge clk) begin
    if (start | (step_pixel & pixel_last)) begin
      x <= 16'd0;
      y <= 16'd0;
      top <= edge_place;
      left <= edge_place;
      line_offset <= start_offset;
      pixel_offset <= start_offset;
    end else if (step_pixel) begin
      if (x_last) begin
        x <= 16'd0;
        y <= y + 16'd1;
        left <= edge_place;
        top <= top + {13'd0, stride};
        line_offset <= next_line;
        pixel_offset <= next_line;
      end else begin
        x <= x + 16'd1;
        left <= left + {13'd0, stride};
        pixel_offset <= pixel_offset + column_step;
      end
    end
  end

  // Two stages of addition.
  reg [ADDRESS-1:0] near, far;
  reg [16:0] row, column;
  reg side_early;

  always @(posedge clk) begin
    near <= column_offset + pixel_offset;
    far <= (side ? base1 : base0) + group_offset[ADDRESS-1:0] + {{(ADDRESS - 16) {1'b0}}, word};
    row <= top + {9'd0, kernel_y};
    column <= left + {9'd0, kernel_x};
    side_early <= side;
    address <= near + far;
    in_map <= (row < {1'b0, in_height}) & (column < {1'b0, in_width});
    source <= side_early;
  end

  wire unused_bits = &{1'b0, group_offset[ADDRESS+7:ADDRESS]};

endmodule
