import { breakEveryRequest } from "./every-request.ts";

breakEveryRequest(false);
